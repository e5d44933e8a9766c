"""`outhaul extract` whose standard error is closed or broken, and under `nohup`."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.misbehaving import CLIENT_ID, CLIENT_SECRET, Endpoint, Fault, Http, Script, first

LONG = Script(course=("Processing",) * 1000)
SECONDS = 60


def command(url: str, output: Path | str) -> list[str]:
    return [
        *(sys.executable, "-m", "outhaul", "extract", "leads", "--url", url),
        *("--client-id", CLIENT_ID, "--client-secret", CLIENT_SECRET),
        *("--fields", "id", "--static-list-id", "1", "--output", str(output)),
        *("--poll-interval", "0.1"),
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_messages_that_nobody_reads_change_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """Neither the notice of a retry ends the run, nor the last message its exit status."""
    endpoint = Endpoint(script=LONG, faults=[Fault("status", Http(502), times=first(2))])
    reading, writing = os.pipe()
    os.close(reading)
    with endpoint.serving() as url:
        process = subprocess.Popen(command(url, tmp_path / "out.csv"), stderr=writing)
        os.close(writing)
        try:
            endpoint.wait_for("status", 4, answered=True)
            process.send_signal(number)
            assert process.wait(SECONDS) == 128 + number
        finally:
            process.kill()
            process.wait()
    assert endpoint.states == ["Cancelled"]


def test_a_closed_standard_error_ends_no_run(tmp_path: Path) -> None:
    endpoint = Endpoint(faults=[Fault("status", Http(502))])
    with endpoint.serving() as url:
        closed = ["sh", "-c", 'exec "$@" 2>&-', "sh", *command(url, tmp_path / "out.csv")]
        assert subprocess.run(closed, timeout=SECONDS, check=False).returncode == 0
    assert (tmp_path / "out.csv").stat().st_size == len(endpoint.jobs[0].file)


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    endpoint = Endpoint(script=Script(course=()))
    with endpoint.serving() as url:
        ignoring = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *command(url, tmp_path / "o.csv")]
        process = subprocess.Popen(ignoring)
        try:
            endpoint.wait_for("status", 2, answered=True)
            process.send_signal(signal.SIGHUP)
            endpoint.wait_for("status", 4, answered=True)
            endpoint.jobs[0].state = "Completed"
            assert process.wait(SECONDS) == 0
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("output", ["-", "/dev/stdout"])
def test_a_reader_that_does_not_read_does_not_stop_the_clock(output: str) -> None:
    endpoint = Endpoint(script=Script(file=b"id\n" + b"1\n" * 2_000_000))
    with endpoint.serving() as url:
        words = [*command(url, output), "--timeout", "2"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                assert process.wait(SECONDS) == 1
                assert process.stderr is not None
                assert b"The time for the run is up: 2 s" in process.stderr.read()
            finally:
                process.kill()


def test_a_reader_that_does_not_read_does_not_hold_up_the_end() -> None:
    """What is left in the buffer of standard output is dropped."""
    endpoint = Endpoint(script=Script(file=b"id\n" + b"1\n" * 2_000_000))
    with endpoint.serving() as url:
        process = subprocess.Popen(command(url, "-"), stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            assert process.stdout.read(1) == b"i"
            process.send_signal(signal.SIGTERM)
            assert process.wait(SECONDS) == 143
        finally:
            process.kill()
            process.wait()
            process.stdout.close()  # type: ignore[union-attr]
    assert endpoint.states == ["Completed"]
