"""Every store of files passes the same suite."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import count

import pytest
from tests.support.azure import Azurite
from tests.support.google import Google
from tests.support.object_store import ObjectStore

from outhaul.conformance.stores import Open, StoreSuite
from outhaul.storage.bucket import BucketStore
from outhaul.storage.folder import FolderStore


def opening(server: ObjectStore | Azurite | Google) -> Iterator[Callable[[], Open]]:
    # One bucket for all stores: a test server has room for some hundreds of buckets only.
    bucket = server.bucket()
    bucket.make()
    numbers = count()
    with ExitStack() as stack:

        def new() -> Open:
            location = bucket.location / f"store-{next(numbers)}"
            return lambda: stack.enter_context(closing(BucketStore(location)))

        yield new


class TestFolder(StoreSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def opens(cls, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Open]:
        def new() -> Open:
            folder = tmp_path_factory.mktemp("files")
            return lambda: FolderStore(folder)

        return new


class TestS3(StoreSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def opens(cls, object_store: ObjectStore) -> Iterator[Callable[[], Open]]:
        yield from opening(object_store)


class TestAzure(StoreSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def opens(cls, azurite: Azurite) -> Iterator[Callable[[], Open]]:
        yield from opening(azurite)


class TestGoogle(StoreSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def opens(cls, google: Google) -> Iterator[Callable[[], Open]]:
        yield from opening(google)
