from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from outhaul.storage.bucket import BucketStore
from outhaul.storage.folder import FolderStore
from outhaul.storage.store import FileStore

Open = Callable[[], FileStore]


@pytest.fixture(scope="module", params=["folder", "bucket"])
def opens(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Open]]:
    """Return what makes places that are new; each can be opened several times."""
    with ExitStack() as stack:

        def place() -> Open:
            if request.param == "folder":
                folder = tmp_path_factory.mktemp("files")
                return lambda: FolderStore(folder)
            bucket = request.getfixturevalue("object_store").bucket()
            bucket.make()
            return lambda: stack.enter_context(closing(BucketStore(bucket.url, bucket.s3)))

        yield place


@pytest.fixture
def reopen(opens: Callable[[], Open]) -> Open:
    """Return what opens one place, again and again."""
    return opens()


@pytest.fixture
def files(reopen: Open) -> FileStore:
    return reopen()
