"""The command `outhaul` as a process that starts at once: a fork of one that has its modules.

A process of its own takes a second to import them. A fork is a process like any other: it has
signal handlers, an exit status and standard streams of its own.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.processes import RUN_SECONDS, environment

from outhaul.cli import main

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([__name__, "outhaul.cli.extract"])


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended."""

    status: int
    """The exit status; below zero if a signal ended the process."""
    out: bytes
    err: str


class Forked:
    """A command that runs."""

    def __init__(self, process: BaseProcess) -> None:
        self._process = process

    @property
    def runs(self) -> bool:
        return self._process.is_alive()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        if self.runs:
            os.kill(self._process.pid or 0, number)


def forked(words: Sequence[str], during: Callable[[Forked], None]) -> Ended:
    """Run a command to its end. `during` gets it while it runs."""
    with TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = _FORKS.Process(target=_run, args=(list(words), str(out), str(err)))
        process.start()
        try:
            during(Forked(process))
            process.join(RUN_SECONDS)
            assert process.exitcode is not None, "the command does not end"
        finally:
            process.kill()
            process.join()
        return Ended(status=process.exitcode, out=out.read_bytes(), err=err.read_text())


def _run(words: Sequence[str], out: str, err: str) -> None:
    os.setsid()
    for number, path in ((0, os.devnull), (1, out), (2, err)):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT
        os.dup2(os.open(path, flags, 0o600), number)
    clean = environment()
    os.environ.clear()
    os.environ.update(clean)
    sys.argv = ["outhaul", *words]
    main()
