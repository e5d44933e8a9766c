"""What the path of an output names, and what comes of it."""

import os
import stat
import threading
from pathlib import Path

import pytest

from outhaul.client import Job, OutputError, is_standard_output, open_output
from outhaul.client.sinks import FileSink, StreamSink
from outhaul.protocol.states import State

NEW = b"id\n1\n"
JOB = Job(export_id="job-1", status=State.COMPLETED)


def write(path: str | Path) -> None:
    with open_output(path) as sink:
        sink.begin(JOB)
        sink.append(NEW)
        sink.finish()


def test_a_link_stays_and_its_file_gets_the_content(tmp_path: Path) -> None:
    real, link, chain = tmp_path / "real.csv", tmp_path / "link", tmp_path / "chain"
    real.write_bytes(b"old")
    link.symlink_to("real.csv")
    chain.symlink_to(link)
    write(chain)
    assert real.read_bytes() == NEW
    assert link.is_symlink()
    assert chain.is_symlink()
    assert len(list(tmp_path.iterdir())) == 3


def test_a_link_without_a_file_makes_the_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder/new.csv")
    write(tmp_path / "link")
    assert (tmp_path / "folder" / "new.csv").read_bytes() == NEW
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize(
    "other", ["leads.csv", "./leads.csv", "alias/leads.csv", "link", "../x/leads.csv"]
)
def test_names_of_one_file_exclude_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "alias").symlink_to(folder)
    (folder / "link").symlink_to("leads.csv")
    monkeypatch.chdir(folder)
    with open_output(folder / "leads.csv"):
        with pytest.raises(OutputError, match="another run is writing"):
            open_output(other).__enter__()
        with open_output("another.csv"):
            pass


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "'' is a folder"),
        (".", "is a folder"),
        ("folder", "folder is a folder"),
        ("folder/", "is a folder"),
        ("new/", "'new/' is a folder"),
        ("link-to-folder", "is a folder"),
        ("no/leads.csv", "there is no folder .*/no$"),
        ("link-to-nowhere", "there is no folder .*/no$"),
        ("file/leads.csv", "Not a directory"),
        ("loop", "Too many levels of symbolic links"),
        ("socket", "socket is a socket"),
        ("link-to-socket", "is a socket"),
        ("x" * 256, "File name too long"),
        ("/dev/fd/999", "/dev/fd/999 is not open"),
        ("/dev/fd/99999999999999999999", "is not open"),
    ],
)
def test_what_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").write_bytes(b"")
    Path("link-to-folder").symlink_to("folder")
    Path("link-to-nowhere").symlink_to("no/leads.csv")
    Path("link-to-socket").symlink_to("socket")
    Path("loop").symlink_to("loop")
    os.mknod("socket", stat.S_IFSOCK | 0o600)
    before = set(tmp_path.iterdir())
    with pytest.raises(OutputError, match=message):
        open_output(path).__enter__()
    assert set(tmp_path.iterdir()) == before


def test_a_block_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.stat

    def disk(path: str) -> os.stat_result:
        found = list(real("/dev/null"))
        found[stat.ST_MODE] = stat.S_IFBLK | 0o660
        return os.stat_result(found) if path == "/dev/disk" else real(path)

    monkeypatch.setattr(os, "stat", disk)
    with pytest.raises(OutputError, match="/dev/disk is a block device"):
        open_output("/dev/disk")


@pytest.mark.parametrize("linked", [False, True])
def test_a_device_is_written_as_a_stream(tmp_path: Path, linked: bool) -> None:
    path = Path("/dev/null")
    if linked:
        path = tmp_path / "link"
        path.symlink_to("/dev/null")
    before = Path("/dev/null").stat()
    write(path)
    after = Path("/dev/null").stat()
    assert (before.st_ino, before.st_mode) == (after.st_ino, after.st_mode)
    assert not os.path.lexists("/dev/null.part")


def test_a_device_that_is_full_says_so() -> None:
    with pytest.raises(OutputError, match="/dev/full: No space left on device"):
        write("/dev/full")


def test_a_fifo_gets_the_bytes_and_stays(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
    reader.start()
    write(fifo)
    reader.join()
    assert got == [NEW]
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert list(tmp_path.iterdir()) == [fifo]


def test_a_fifo_without_a_reader_is_waited_for(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    said: list[str] = []
    readers: list[int] = []

    def pause(_seconds: float) -> None:
        assert said == [f"waiting for a reader of {fifo}"]
        readers.append(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK))

    with open_output(fifo, notice=said.append, pause=pause) as sink:
        sink.begin(JOB)
        sink.append(NEW)
    assert os.read(readers[0], 100) == NEW
    os.close(readers[0])


def test_waiting_for_a_reader_can_be_ended(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    def pause(_seconds: float) -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        open_output(tmp_path / "fifo", pause=pause)


def test_a_reader_that_does_not_read_can_be_left(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)

    def check() -> None:
        raise KeyError

    with open_output(fifo, check=check) as sink:
        sink.begin(JOB)
        with pytest.raises(KeyError):
            sink.append(b"x" * (1 << 22))
    os.close(reader)


def test_a_reader_that_goes_away_is_named(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with open_output(fifo) as sink:
        os.close(reader)
        sink.begin(JOB)
        with pytest.raises(OutputError, match=r"the reader of .*fifo has closed it"):
            sink.append(NEW)


@pytest.mark.parametrize("form", ["/dev/fd/{}", "/proc/self/fd/{}", "link"])
def test_a_descriptor_is_written_through_where_it_is(tmp_path: Path, form: str) -> None:
    path = tmp_path / "all.csv"
    path.write_bytes(b"before\n")
    with path.open("ab") as opened:
        name = form.format(opened.fileno())
        if form == "link":
            (tmp_path / "link").symlink_to(f"/dev/fd/{opened.fileno()}")
            name = str(tmp_path / "link")
        inode = path.stat().st_ino
        write(name)
        opened.write(b"after\n")
    assert path.read_bytes() == b"before\n" + NEW + b"after\n"
    assert path.stat().st_ino == inode


def test_a_descriptor_for_reading_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_bytes(b"")
    with (
        path.open("rb") as opened,
        pytest.raises(OutputError, match="is open for reading only"),
    ):
        open_output(f"/dev/fd/{opened.fileno()}")


def test_names_of_standard_output() -> None:
    assert is_standard_output("-")
    assert is_standard_output("/dev/stdout")
    assert is_standard_output("/dev/fd/1")
    assert not is_standard_output("/dev/stderr")
    assert not is_standard_output("stdout")


def test_kinds_of_sinks(tmp_path: Path) -> None:
    assert isinstance(open_output(tmp_path / "new"), FileSink)
    with open_output("/dev/null") as sink:
        assert isinstance(sink, StreamSink)
