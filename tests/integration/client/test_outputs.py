"""`outhaul extract` as a process: two runs to one output, and outputs that are no regular files."""

import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.forked import forked
from tests.support.misbehaving import (
    CLIENT_ID,
    CLIENT_SECRET,
    FILE,
    CutOff,
    Endpoint,
    Fault,
    Script,
    Then,
    lines,
)
from tests.support.processes import COMMAND, RUN_SECONDS, environment
from tests.support.waiting import wait_for

REQUEST = ("--fields", "id,email", "--static-list-id", "1001")

Running = subprocess.Popen[bytes]


def words_of(url: str, output: object, options: Sequence[str]) -> list[str]:
    credentials = ("--client-id", CLIENT_ID, "--client-secret", CLIENT_SECRET)
    return ["extract", "leads", "--url", url, *credentials, "--output", str(output), *options]


@contextmanager
def extracting(
    url: str, output: object, *options: str, by: Sequence[str] = (), **more: Any
) -> Iterator[Running]:
    """Run an extraction meanwhile. `by` is a command that runs it."""
    words = words_of(url, output, options)
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more
    with subprocess.Popen(
        [*by, *COMMAND, *words], stdin=subprocess.DEVNULL, env=environment(), **streams
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def end(process: Running) -> str:
    """Wait for the end of a process, and return what it wrote to standard error."""
    _, err = process.communicate(timeout=RUN_SECONDS)
    assert b"Traceback" not in err
    return err.decode()


def extract(
    url: str, output: object, options: Sequence[str] = REQUEST, *, status: int = 0, **more: Any
) -> str:
    """Run an extraction to its end: as a fork, unless it has streams of its own."""
    if not more:
        ended = forked(words_of(url, output, options), lambda _: None)
        assert "Traceback" not in ended.err
        assert ended.status == status, ended.err
        return ended.err
    with extracting(url, output, *options, **more) as process:
        err = end(process)
    assert process.returncode == status, err
    return err


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file, and two other names of the file."""
    found = tmp_path / "folder"
    found.mkdir()
    (found / "leads.csv").write_bytes(b"old")
    (tmp_path / "alias").symlink_to(found)
    (tmp_path / "link").symlink_to(found / "leads.csv")
    return found


@pytest.mark.parametrize("name", ["folder/leads.csv", "alias/leads.csv", "link"])
def test_a_second_run_makes_no_job_and_a_killed_one_keeps_no_lock(folder: Path, name: str) -> None:
    target = folder / "leads.csv"
    hangs = Fault("file", CutOff(10_000, then=Then.HANG))
    endpoint = Endpoint(faults=[hangs])
    with endpoint.serving() as url:
        with extracting(url, target, *REQUEST) as first:
            endpoint.wait_for("file")
            said = extract(url, name, status=1, cwd=folder.parent)
            assert said == f"error: another run is writing {name}\n"
            assert endpoint.count("create") == 1
            first.kill()
            first.wait()
        assert target.read_bytes() == b"old"
        extract(url, name, cwd=folder.parent)
    assert endpoint.states == ["Completed", "Completed"]
    assert target.read_bytes() == FILE
    assert names(folder) == ["leads.csv"]
    assert (folder.parent / "link").is_symlink()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_same_command_with_the_id_continues_the_file_of_a_run_that_was_ended(
    tmp_path: Path, number: signal.Signals
) -> None:
    target, part = tmp_path / "leads.csv", tmp_path / "leads.csv.part"
    file = lines(100_000)
    endpoint = Endpoint(
        script=Script(file=file), faults=[Fault("file", CutOff(2_000_000, then=Then.HANG))]
    )
    with endpoint.serving() as url:
        with extracting(url, target, *REQUEST) as first:
            wait_for(lambda: part.exists() and part.stat().st_size)
            first.send_signal(number)
            said = end(first)
        (job,) = endpoint.jobs
        assert number == signal.SIGKILL or f"--export-id {job.id} fetches its file" in said
        assert not target.exists()
        size = part.stat().st_size
        extract(url, target, [*REQUEST, "--export-id", job.id])
    assert target.read_bytes() == file
    assert names(tmp_path) == ["leads.csv"]
    assert endpoint.count("create") == 1
    assert [call.headers.get("range") for call in endpoint.of("file")] == [None, f"bytes={size}-"]


@pytest.mark.parametrize(
    ("state", "enqueued"), [("Created", 1), ("Queued", 0), ("Processing", 0), ("Completed", 0)]
)
def test_an_existing_job_is_taken_up(tmp_path: Path, state: str, enqueued: int) -> None:
    endpoint = Endpoint()
    job = endpoint.add_job(state)
    with endpoint.serving() as url:
        said = extract(url, tmp_path / "leads.csv", ["--export-id", job.id])
    assert f"of job {job.id} written to" in said
    assert (tmp_path / "leads.csv").read_bytes() == FILE
    assert (endpoint.count("create"), endpoint.count("enqueue")) == (0, enqueued)
    assert endpoint.states == ["Completed"]


@pytest.mark.parametrize(
    ("state", "kind", "export_id", "message"),
    [
        ("Failed", "leads", None, r"is Failed"),
        ("Cancelled", "leads", None, r"is Cancelled"),
        ("Completed", "activities", None, r"The server refused the call: 1003 "),
        ("Completed", "leads", "11111111-0000-4000-8000-000000000000", r"The server refused the"),
    ],
)
def test_a_job_that_cannot_be_taken_up(
    tmp_path: Path, state: str, kind: str, export_id: str | None, message: str
) -> None:
    endpoint = Endpoint()
    job = endpoint.add_job(state, kind)
    with endpoint.serving() as url:
        options = ["--export-id", export_id or job.id]
        said = extract(url, tmp_path / "leads.csv", options, status=1)
    assert message in said
    assert endpoint.states == [state]
    assert names(tmp_path) == []


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def test_a_fifo_gets_the_file_and_stays(fifo: Path) -> None:
    endpoint = Endpoint()
    with endpoint.serving() as url, extracting(url, fifo, *REQUEST) as process:
        assert fifo.read_bytes() == FILE
        assert end(process).endswith(f"written to {fifo}\n")
    assert process.returncode == 0
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert names(fifo.parent) == ["fifo"]


def test_a_fifo_without_a_reader_costs_no_job(fifo: Path) -> None:
    endpoint = Endpoint()
    with endpoint.serving() as url:
        said = extract(url, fifo, [*REQUEST, "--timeout", "1s"], status=1)
        assert f"waiting for a reader of {fifo}" in said
        with extracting(url, fifo, *REQUEST) as process:
            assert process.stderr is not None
            assert b"waiting for a reader" in process.stderr.readline()
            process.send_signal(signal.SIGTERM)
            end(process)
    assert process.returncode == 128 + signal.SIGTERM
    assert endpoint.jobs == []


@pytest.mark.parametrize("leaves", [True, False])
def test_a_reader_that_does_not_read_to_the_end(fifo: Path, leaves: bool) -> None:
    # More than a pipe holds.
    endpoint = Endpoint()
    job = endpoint.add_job("Completed")
    job.file = FILE * 1000
    options = ["--export-id", job.id, "--timeout", "10s"]
    with endpoint.serving() as url, extracting(url, fifo, *options) as process:
        reader = os.open(fifo, os.O_RDONLY)
        os.read(reader, 10)
        if leaves:
            os.close(reader)
        said = end(process)
        if not leaves:
            os.close(reader)
    assert process.returncode == 1
    assert f"the reader of {fifo} has closed it" in said or not leaves
    assert f"job {job.id} is Completed: --export-id {job.id} fetches its file" in said


def test_standard_output_as_a_file_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_bytes(b"before\n")
    endpoint = Endpoint()
    with endpoint.serving() as url, path.open("ab") as opened:
        extract(url, "/dev/stdout", stdout=opened)
    assert path.read_bytes() == b"before\n" + FILE
    assert names(tmp_path) == ["all.csv"]


def test_a_disk_that_is_full_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "leads.csv"
    target.write_bytes(b"old")
    endpoint = Endpoint()
    with endpoint.serving() as url:
        with extracting(url, target, *REQUEST) as process:
            # A limit on the size of files stands for the end of the disk.
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (10_000, 10_000))
            said = end(process)
        assert process.returncode == 1
        (job,) = endpoint.jobs
        assert f"{target}.part: File too large" in said
        assert f"--export-id {job.id} fetches its file" in said
        assert target.read_bytes() == b"old"
        extract(url, target, ["--export-id", job.id])
    assert target.read_bytes() == FILE
    assert [call.headers.get("range") for call in endpoint.of("file")] == [None, "bytes=10000-"]


# The superuser may write everything, unless this capability is dropped: prctl(PR_CAPBSET_DROP, …).
UNPRIVILEGED = """
import ctypes, os, sys
for capability in (1, 2):
    ctypes.CDLL(None).prctl(24, capability)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_what_is_read_only_is_refused_before_there_is_a_job(tmp_path: Path) -> None:
    folder, target = tmp_path / "folder", tmp_path / "leads.csv"
    folder.mkdir(mode=0o555)
    target.write_bytes(b"old")
    target.chmod(0o444)
    endpoint = Endpoint()
    by = (sys.executable, "-c", UNPRIVILEGED)
    with endpoint.serving() as url:
        assert extract(url, target, status=1, by=by) == f"error: {target} is read-only\n"
        said = extract(url, folder / "new.csv", status=1, by=by)
    assert said == f"error: {folder}/new.csv.part: Permission denied\n"
    assert endpoint.jobs == []
    assert target.read_bytes() == b"old"
