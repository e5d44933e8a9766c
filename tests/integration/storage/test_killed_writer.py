"""What a writer leaves in a folder whose process was killed."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.folders import left, put

from outhaul.storage.folder import FolderStore

KILLED_WRITER = """
import os, sys
from pathlib import Path
from outhaul.storage.folder import FolderStore
with FolderStore(Path(sys.argv[1])).writer("job/attempt/000000", media_type="text/csv") as target:
    for _ in range(40):
        target.write(bytes(2**20))
    os._exit(9)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def files(folder: Path) -> FolderStore:
    return FolderStore(folder)


def test_what_a_killed_writer_left_cannot_be_read_and_is_deleted(
    files: FolderStore, folder: Path
) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED_WRITER, folder], check=False)
    assert ended.returncode == 9
    with pytest.raises(FileNotFoundError):
        files.read("job/attempt/000000", 0, 1)
    assert left(folder) != [], "the store wrote elsewhere: this test shows nothing any more"
    files.delete("job")
    assert list(folder.iterdir()) == []


def test_a_part_can_be_written_anew_where_a_writer_was_killed(
    files: FolderStore, folder: Path
) -> None:
    subprocess.run([sys.executable, "-c", KILLED_WRITER, folder], check=False)
    put(files, "job/attempt/000000", b"whole")
    assert files.read("job/attempt/000000", 0, 5) == b"whole"


def test_all_is_deleted_but_some_keys_begun_or_whole(files: FolderStore, folder: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED_WRITER, folder], check=False)
    for key in ("job/a/000000", "job/b/000000", "jo/a/000000", "job2/b/000000"):
        put(files, key)
    files.delete("job", but=["job/b/000000"])
    assert left(folder) == ["jo/a/000000", "job/b/000000", "job2/b/000000"]
    files.delete("none", but=["none/a"])


def test_what_was_begun_is_listed_as_well(files: FolderStore, folder: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED_WRITER, folder], check=False)
    put(files, "job/attempt/000001")
    assert sorted(stored.key for stored in files.list()) == left(folder)
    assert len(left(folder)) == 2
