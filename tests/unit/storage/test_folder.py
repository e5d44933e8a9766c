import os
from pathlib import Path

import pytest
from tests.support.folders import left, put

from outhaul.protocol.dialects import MEDIA_TYPE
from outhaul.storage.folder import FolderStore
from outhaul.storage.store import READ_BYTES, FilesError, SignsAddresses


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def files(folder: Path) -> FolderStore:
    return FolderStore(folder)


@pytest.mark.parametrize("size", [0, 1, 1_000, READ_BYTES, 17 * READ_BYTES + 3])
def test_a_part_comes_back_as_it_was_written(files: FolderStore, folder: Path, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    with files.writer("job/a/000000", media_type=MEDIA_TYPE) as target:
        for first in range(0, size, 300_000):
            piece = content[first : first + 300_000]
            assert target.write(piece) == len(piece)
    assert left(folder) == ["job/a/000000"]
    if size:
        assert files.read("job/a/000000", 0, size) == content
        assert files.read("job/a/000000", size // 2, size - size // 2) == content[size // 2 :]


@pytest.mark.parametrize("size", [0, 10, 40 * READ_BYTES])
def test_a_part_that_is_left_by_an_exception_leaves_nothing_behind(
    files: FolderStore, folder: Path, size: int
) -> None:
    def write() -> None:
        with files.writer("job/a/000000", media_type=MEDIA_TYPE) as target:
            for _ in range(0, size, READ_BYTES):
                target.write(bytes(min(size, READ_BYTES)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    with pytest.raises(FileNotFoundError):
        files.read("job/a/000000", 0, 1)
    assert left(folder) == []


def test_a_part_cannot_be_read_before_it_is_whole(files: FolderStore) -> None:
    with files.writer("job/a/000000", media_type=MEDIA_TYPE) as target:
        for _ in range(40):
            target.write(bytes(READ_BYTES))
        with pytest.raises(FileNotFoundError):
            files.read("job/a/000000", 0, 1)
    assert files.read("job/a/000000", 0, 1) == b"\0"


def test_delete_takes_the_parts_under_a_prefix_and_no_others(
    files: FolderStore, folder: Path
) -> None:
    keys = [
        f"{job}/{attempt}/{n:06}" for job in ("1", "10", "2") for attempt in "ab" for n in (0, 1)
    ]
    for key in keys:
        put(files, key)
    files.delete("1/a")
    keys = [key for key in keys if not key.startswith("1/a/")]
    assert left(folder) == sorted(keys)
    files.delete("1")
    keys = [key for key in keys if not key.startswith("1/")]
    assert left(folder) == sorted(keys)


def test_delete_leaves_no_empty_folders(files: FolderStore, folder: Path) -> None:
    for key in ("1/a/000000", "1/b/000000"):
        put(files, key)
    files.delete("1/a")
    assert (folder / "1").is_dir()
    files.delete("1/b")
    assert list(folder.iterdir()) == []
    put(files, "1/c/000000", b"new")
    assert files.read("1/c/000000", 0, 3) == b"new"


@pytest.mark.parametrize("prefix", ["job", "job/attempt"])
def test_delete_where_there_is_nothing_does_nothing(
    files: FolderStore, folder: Path, prefix: str
) -> None:
    files.delete(prefix)
    assert folder.is_dir()


def test_a_missing_part_raises(files: FolderStore) -> None:
    with pytest.raises(FileNotFoundError):
        files.read("job/a/000000", 0, 10)


def test_two_stores_on_one_folder_see_the_same(folder: Path, files: FolderStore) -> None:
    put(files, "job/a/000000", b"here")
    assert FolderStore(folder).read("job/a/000000", 1, 2) == b"er"


@pytest.mark.parametrize(("first", "length"), [(0, 1), (0, 3_000_000), (2_999_999, 1), (7, 65_536)])
def test_what_is_in_the_cache_is_read_as_from_the_disk(
    files: FolderStore, first: int, length: int
) -> None:
    content = os.urandom(3_000_000)
    put(files, "job/a/000000", content)
    # Whether it is in the cache is the system's to say; a file that was just written mostly is.
    assert files.read_cached("job/a/000000", first, length) in (
        None,
        content[first : first + length],
    )


@pytest.mark.parametrize("problem", [BlockingIOError, OSError, AttributeError])
def test_what_may_have_to_be_waited_for_is_not_read_at_once(
    files: FolderStore, monkeypatch: pytest.MonkeyPatch, problem: type[Exception]
) -> None:
    def preadv(*_: object) -> int:
        raise problem

    put(files, "job/a/000000")
    monkeypatch.setattr(os, "preadv", preadv)
    assert files.read_cached("job/a/000000", 0, 1) is None
    assert files.read("job/a/000000", 0, 1) == b"c"


def test_a_part_that_is_missing_is_missing_from_the_cache_too(files: FolderStore) -> None:
    with pytest.raises(FileNotFoundError):
        files.read_cached("job/a/000000", 0, 1)


def test_a_folder_that_is_gone_is_told(files: FolderStore, folder: Path) -> None:
    files.check()
    folder.rmdir()
    with pytest.raises(FilesError, match=str(folder)):
        files.check()


def test_a_part_that_was_cut_short_is_not_read_from_the_cache(files: FolderStore) -> None:
    put(files, "job/a/000000")
    assert files.read_cached("job/a/000000", 0, 8) is None


def test_a_folder_has_no_addresses(files: FolderStore) -> None:
    assert not isinstance(files, SignsAddresses)
