"""The command `outhaul` as a process that starts at once: a fork of one that has its modules.

A process of its own takes two seconds of processor time to import them. A fork is a process like
any other: it has a session, signal handlers, an exit status and standard streams of its own.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from tests.support.processes import RUN_SECONDS, STOP_SECONDS, environment

from outhaul.cli import main

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        __name__,
        "tests.support.failpoints",
        "outhaul.cli.extract",
        "outhaul.cli.serve",
        "outhaul.cli.worker",
        # What a worker and a server import when they need it.
        "outhaul.database.schema",
        "psycopg",
        "sqlalchemy.dialects.postgresql.psycopg",
        "sqlalchemy.dialects.sqlite.pysqlite",
    ]
)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended."""

    status: int
    """The exit status; below zero if a signal ended the process."""
    out: bytes
    err: str


class Forked:
    """A command that runs, or has run; its methods are those of `subprocess.Popen`."""

    def __init__(self, process: BaseProcess) -> None:
        self._process = process

    @classmethod
    def start(
        cls,
        words: Sequence[str],
        *,
        out: Path | str = os.devnull,
        err: Path | str = os.devnull,
        variables: Mapping[str, str] | None = None,
        first: Callable[[], None] | None = None,
    ) -> Self:
        """Run `outhaul` with some words. The new process calls `first` before."""
        variables = environment() if variables is None else variables
        given = (list(words), str(out), str(err), dict(variables), first)
        process = _FORKS.Process(target=_run, args=given)
        process.start()
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    @property
    def runs(self) -> bool:
        return self._process.is_alive()

    def poll(self) -> int | None:
        """Return the exit status, if the process has ended."""
        return self._process.exitcode

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """Return the exit status when the process has ended."""
        self._process.join(seconds)
        assert self._process.exitcode is not None, f"not ended within {seconds} s"
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        if self.runs:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def forked(
    words: Sequence[str],
    during: Callable[[Forked], None],
    variables: Mapping[str, str] | None = None,
) -> Ended:
    """Run a command to its end. `during` gets it while it runs."""
    with TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = Forked.start(words, out=out, err=err, variables=variables)
        try:
            during(process)
            status = process.wait(RUN_SECONDS)
        finally:
            process.kill()
            process.wait()
        return Ended(status=status, out=out.read_bytes(), err=err.read_text())


def _run(
    words: Sequence[str],
    out: str,
    err: str,
    variables: Mapping[str, str],
    first: Callable[[], None] | None,
) -> None:
    os.setsid()
    for number, path in ((0, os.devnull), (1, out), (2, err)):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT
        os.dup2(os.open(path, flags, 0o600), number)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = ["outhaul", *words]
    if first is not None:
        first()
    main()
