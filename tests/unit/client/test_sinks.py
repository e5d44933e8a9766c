"""The file of an output: who owns its partial file, what is published, and what is left behind."""

import fcntl
import io
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from outhaul.client import Job, OutputError, OutputTakenError
from outhaul.client.own_file import PIECE_BYTES
from outhaul.client.partial import partial_path
from outhaul.client.sinks import FileSink, StreamSink
from outhaul.protocol.states import State

NEW = b"id\n1\n"
OLD = b"id\n0\n"


def job_of(export_id: str = "job-1") -> Job:
    return Job(export_id=export_id, status=State.COMPLETED)


def publish(target: Path, content: bytes = NEW, export_id: str = "job-1") -> None:
    with FileSink(target) as sink:
        sink.begin(job_of(export_id))
        sink.append(content)
        sink.finish()


def leave(target: Path, content: bytes, export_id: str = "job-1") -> None:
    """Break off after these bytes."""
    with FileSink(target) as sink:
        sink.begin(job_of(export_id))
        sink.append(content)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    """A target in an empty folder."""
    before = os.umask(0o027)
    yield tmp_path / "leads.csv"
    os.umask(before)


def left(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def test_a_file_appears_whole_and_alone(target: Path) -> None:
    with FileSink(target) as sink:
        sink.begin(job_of())
        sink.append(NEW)
        assert not target.exists()
        sink.finish()
    assert target.read_bytes() == NEW
    assert left(target) == ["leads.csv"]


def test_a_file_is_on_the_disk_before_it_appears(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def note_sync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        size = os.fstat(descriptor).st_size
        events.append("folder" if is_folder else f"file of {size} bytes")
        fsync(descriptor)

    def note_renaming(self: Path, other: Path) -> Path:
        events.append("renamed")
        return replace(self, other)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "replace", note_renaming)
    publish(target)
    assert events == [f"file of {len(NEW)} bytes", "renamed", "folder"]


def test_a_second_run_is_told_before_it_has_a_job(target: Path) -> None:
    with FileSink(target) as first:
        with pytest.raises(OutputTakenError, match=r"another run is writing .*/leads\.csv$"):
            FileSink(target).__enter__()
        first.begin(job_of())
        first.append(NEW)
        with pytest.raises(OutputTakenError):
            FileSink(target).__enter__()
        first.finish()
        # The name of the partial file is free again, and so is its lock.
        publish(target, OLD)
    assert target.read_bytes() == OLD
    assert left(target) == ["leads.csv"]


def test_threads_exclude_each_other(target: Path) -> None:
    taken, wins = [], []
    start = threading.Barrier(8)
    hold = threading.Barrier(8)

    def run(number: int) -> None:
        start.wait()
        try:
            with FileSink(target) as sink:
                hold.wait()
                sink.begin(job_of(f"job-{number}"))
                sink.append(b"%d" % number * PIECE_BYTES)
                sink.finish()
                wins.append(number)
        except OutputTakenError:
            taken.append(number)
            hold.wait()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 7
    assert target.read_bytes() == b"%d" % wins[0] * PIECE_BYTES
    assert left(target) == ["leads.csv"]


def test_a_lock_of_a_file_that_was_renamed_is_not_taken_for_one(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = partial_path(target)
    flock = fcntl.flock
    renamed: list[Path] = []

    def late(descriptor: int, operation: int) -> None:
        # The run that had the file publishes it between the opening and the locking.
        if not renamed:
            renamed.append(part.rename(target))
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with FileSink(target) as sink:
        sink.begin(job_of())
        sink.append(NEW)
        assert target.read_bytes() == b""
        sink.finish()
    assert renamed
    assert target.read_bytes() == NEW


def test_a_file_system_without_locks_is_refused(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_descriptor: int, _operation: int) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", none)
    with pytest.raises(OutputError, match="cannot be locked: Function not implemented"):
        FileSink(target).__enter__()


def test_bytes_that_were_left_are_continued_by_the_same_job_only(target: Path) -> None:
    leave(target, NEW[:3])
    assert left(target) == ["leads.csv.part", "leads.csv.part.json"]
    with FileSink(target) as sink:
        sink.begin(job_of())
        assert sink.arrived.size == 3
    with FileSink(target) as sink:
        sink.begin(job_of("job-2"))
        assert sink.arrived.size == 0
    assert left(target) == []


def test_bytes_that_were_left_survive_a_run_without_a_file(target: Path) -> None:
    leave(target, NEW[:3])
    with FileSink(target):
        pass
    with FileSink(target) as sink:
        sink.begin(job_of())
        assert sink.arrived.size == 3


def test_a_version_of_the_file_is_remembered(target: Path) -> None:
    with FileSink(target) as sink:
        sink.begin(job_of())
        sink.note('"v1"')
        sink.append(NEW)
    with FileSink(target) as sink:
        sink.begin(job_of())
        assert sink.validator == '"v1"'
        sink.rewind()
        assert sink.validator == ""


@pytest.mark.parametrize(
    "label", ["", "[]", "null", "\x00", '{"exportId": "job-1"}', "[" * 100_000]
)
def test_a_label_that_cannot_be_read_names_no_job(target: Path, label: str) -> None:
    leave(target, NEW)
    (target.parent / "leads.csv.part.json").write_text(label)
    with FileSink(target) as sink:
        sink.begin(job_of())
        assert sink.arrived.size == 0


@pytest.mark.parametrize("size", [5, 2 * PIECE_BYTES])
@pytest.mark.parametrize("begin", [0, 3])
def test_bytes_that_another_program_writes_are_not_published(
    target: Path, size: int, begin: int
) -> None:
    target.write_bytes(OLD)
    part = partial_path(target)
    with FileSink(target) as sink:
        sink.begin(job_of())
        sink.append(b"x" * size)
        with part.open("r+b") as other:
            other.seek(begin)
            other.write(b"y" * 10)
        os.utime(part, ns=(1, 1))
        with pytest.raises(OutputError, match=r"another program changed .*leads\.csv\.part"):
            sink.finish()
    assert target.read_bytes() == OLD
    assert left(target) == ["leads.csv"]


def test_another_time_with_the_same_bytes_is_no_change(target: Path) -> None:
    with FileSink(target) as sink:
        sink.begin(job_of())
        sink.append(b"x" * 2 * PIECE_BYTES)
        os.utime(partial_path(target), ns=(1, 1))
        sink.append(NEW)
        sink.finish()
    assert target.read_bytes() == b"x" * 2 * PIECE_BYTES + NEW


@pytest.mark.parametrize("instead", [None, b"other"])
def test_a_partial_file_that_was_replaced_is_not_published(
    target: Path, instead: bytes | None
) -> None:
    target.write_bytes(OLD)
    part = partial_path(target)
    with FileSink(target) as sink:
        sink.begin(job_of())
        sink.append(NEW)
        part.unlink()
        if instead is not None:
            part.write_bytes(instead)
        with pytest.raises(OutputError, match="another program replaced"):
            sink.finish()
    assert target.read_bytes() == OLD
    assert instead is None or part.read_bytes() == instead


def test_an_existing_file_gives_its_mode_and_owner(target: Path) -> None:
    target.write_bytes(OLD)
    target.chmod(0o604)
    if os.geteuid() == 0:
        os.chown(target, 1234, 1235)
    before = target.stat()
    publish(target)
    after = target.stat()
    assert target.read_bytes() == NEW
    assert stat.S_IMODE(after.st_mode) == 0o604
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino


def test_a_new_file_has_the_mode_of_the_umask(target: Path) -> None:
    publish(target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_the_bytes_of_a_secret_file_are_secret_in_the_meantime(target: Path) -> None:
    target.write_bytes(OLD)
    target.chmod(0o600)
    leave(target, NEW)
    assert stat.S_IMODE(partial_path(target).stat().st_mode) == 0o600


def test_a_read_only_file_is_refused(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target.write_bytes(OLD)
    # The superuser may write every file.
    monkeypatch.setattr(os, "access", lambda path, mode: (path, mode) != (target, os.W_OK))
    with pytest.raises(OutputError, match="is read-only"):
        FileSink(target).__enter__()
    assert left(target) == ["leads.csv"]


@pytest.mark.parametrize("letter", ["x", "é", "😀"])
@pytest.mark.parametrize("bytes_", range(240, 256))
def test_a_long_name_has_a_partial_file(target: Path, letter: str, bytes_: int) -> None:
    name = letter * (bytes_ // len(letter.encode()))
    long = target.with_name(name)
    leave(long, NEW[:3])
    assert all(len(os.fsencode(each)) <= 255 for each in left(target))
    with FileSink(long), pytest.raises(OutputTakenError, match=name):
        FileSink(long).__enter__()
    publish(long)
    assert left(target) == [name]


def test_long_names_that_begin_alike_are_apart(target: Path) -> None:
    one, two = (target.with_name("x" * 254 + end) for end in "ab")
    with FileSink(one), FileSink(two):
        assert partial_path(one) != partial_path(two)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("other")])
def test_what_is_in_the_way_of_the_partial_file_stays(target: Path, make: object) -> None:
    part = partial_path(target)
    make(part)  # type: ignore[operator]
    before = part.lstat()
    with pytest.raises(OSError, match=r"leads\.csv\.part"):
        FileSink(target).__enter__()
    assert os.path.samestat(before, part.lstat())
    assert left(target) == ["leads.csv.part"]


def test_a_target_that_becomes_something_else_is_not_replaced(target: Path) -> None:
    with FileSink(target) as sink:
        sink.begin(job_of())
        sink.append(NEW)
        os.mkfifo(target)
        with pytest.raises(OutputError, match="is no regular file"):
            sink.finish()
    assert stat.S_ISFIFO(target.stat().st_mode)
    assert left(target) == ["leads.csv", "leads.csv.part", "leads.csv.part.json"]


def test_a_file_that_cannot_be_renamed_can_be_continued(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: Path, _target: Path) -> None:
        raise PermissionError(1, "Operation not permitted", "a", None, "b")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OutputError, match=r"leads\.csv: Operation not permitted"):
        publish(target)
    monkeypatch.undo()
    with FileSink(target) as sink:
        sink.begin(job_of())
        assert sink.arrived.size == len(NEW)


def test_no_space_left_keeps_what_there_is(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target.write_bytes(OLD)
    pwrite = os.pwrite

    def full(descriptor: int, content: bytes, offset: int) -> int:
        if offset >= 1000:
            raise OSError(28, "No space left on device")
        return pwrite(descriptor, content[:1000], offset)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OutputError, match=r"leads\.csv\.part: No space left on device"):
        leave(target, b"x" * PIECE_BYTES)
    monkeypatch.undo()
    assert target.read_bytes() == OLD
    with FileSink(target) as sink:
        sink.begin(job_of())
        assert sink.arrived.size == 1000


class Slow(io.RawIOBase):
    """A stream that takes a few bytes at a time, and now and then none."""

    def __init__(self) -> None:
        self.content = b""
        self.calls = 0

    def write(self, content: memoryview) -> int | None:  # type: ignore[override]
        self.calls += 1
        if self.calls % 2:
            return None
        self.content += bytes(content[:7])
        return len(content[:7])

    def fileno(self) -> int:
        return 2


def test_a_stream_that_takes_little_gets_all() -> None:
    stream, checks = Slow(), []
    with StreamSink(stream, "slow", check=lambda: checks.append(1)) as sink:
        sink.begin(job_of())
        sink.append(b"0123456789" * 10)
        sink.finish()
        assert stream.content == b"0123456789" * 10
    assert checks
