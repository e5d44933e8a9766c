"""`outhaul extract` against the misbehaving endpoint: scenarios, and how one is run and checked.

A scenario says what the endpoint does, which options the command gets, and what must come out of
it: the exit status, the message, the files on disk, and the states of the jobs at the endpoint.
"""

import os
import re
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from tests.support.forked import Ended, Forked, forked
from tests.support.misbehaving import (
    CLIENT_ID,
    CLIENT_SECRET,
    FILE,
    RUNNING,
    Endpoint,
    Fault,
    Script,
)
from tests.support.processes import environment
from tests.support.waiting import wait_for
from typer.testing import CliRunner

from outhaul.cli import app
from outhaul.cli.extract import extraction
from outhaul.client import Patience

TARGET = "leads.csv"
PART = "leads.csv.part"
LABEL = "leads.csv.part.json"
HANG_SECONDS = 60.0
"""How much later it is on the clock of a scenario when an answer hangs."""
UNKNOWN_DOUBLE = "a double of the job may be left in Created"
"""What is said if the list of jobs, which would name it, cannot be read."""
OLD = b"id\n7\n"
"""The content of a file that an earlier extraction wrote."""


class _Any:
    def __repr__(self) -> str:
        return "ANY"


ANY: Final = _Any()
"""The content of a file that must be there, whatever it has."""

Content = bytes | _Any
Disk = Mapping[str, Content]

WHOLE: Disk = {TARGET: FILE}
NOTHING: Disk = {}


@dataclass(frozen=True)
class Moment:
    """When a signal is sent: a call has arrived, or has been answered."""

    call: str
    nth: int = 1
    answered: bool = False


@dataclass(frozen=True)
class Stop:
    """A signal to the command, and when it is sent."""

    signal: signal.Signals
    at: Moment
    later: float = 0
    """How many seconds after that moment, at least."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What an endpoint does to one extraction, and what must come out of it."""

    name: str
    faults: Sequence[Fault] = ()
    script: Script = field(default_factory=Script)
    endpoint: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of `Endpoint`."""
    others: Sequence[str] = ()
    """The states of jobs that another run made a day ago."""
    options: Sequence[str] = ()
    before: Mapping[str, bytes] = field(default_factory=dict)
    """Files that are there before the command."""
    stops: Sequence[Stop] = ()
    """Signals to the command, which then runs as a process of its own."""

    status: int = 0
    says: Sequence[str] = ()
    """Patterns that standard error must have."""
    never_says: Sequence[str] = ()
    disk: Disk = field(default_factory=lambda: WHOLE)
    """The files that are there afterwards."""
    may_leave: Sequence[str] = ()
    """Files that may be there besides: it depends on how far a download has come."""
    out: bytes = b""
    """What comes on standard output."""
    left: Sequence[str] = ("Completed",)
    """The states of all jobs at the endpoint, those of other runs first."""
    calls: Mapping[str, int] = field(default_factory=dict)
    """How often calls came."""
    unused: int = 0
    """How many faults no call met, because the run ended before."""

    def __str__(self) -> str:
        return self.name


class Clock:
    """A clock that moves on by pauses only, and at once. The endpoint shares it."""

    def __init__(self) -> None:
        self._begin = datetime.now(UTC)
        self._paused = 0.0

    def seconds(self) -> float:
        return self._paused

    def moment(self) -> datetime:
        return self._begin + timedelta(seconds=self._paused)

    def pause(self, seconds: float) -> None:
        self._paused += seconds


def play(scenario: Scenario, folder: Path) -> Endpoint:
    """Run a scenario, check all that it says, and return the endpoint as it is afterwards."""
    __tracebackhide__ = True
    for name, content in scenario.before.items():
        (folder / name).write_bytes(content)
    clock = Clock()
    endpoint = Endpoint(
        script=scenario.script, faults=scenario.faults, clock=clock.moment, **scenario.endpoint
    )
    if scenario.stops:
        endpoint.clock = partial(datetime.now, UTC)  # another process has the time of day
    else:
        endpoint.on_hang = partial(clock.pause, HANG_SECONDS)
    for state in scenario.others:
        endpoint.add_job(state, age=86_400)
    with endpoint.serving() as url:
        if scenario.stops:
            ended = stopped(endpoint, arguments(url, folder, scenario.options), scenario.stops)
        else:
            ended = run(arguments(url, folder, scenario.options), clock)
    check(scenario, endpoint, ended, folder)
    return endpoint


def arguments(url: str, folder: Path, options: Sequence[str] = ()) -> list[str]:
    """Return the arguments of an extraction to `TARGET`, unless the options say otherwise."""
    output = () if "--output" in options else ("--output", str(folder / TARGET))
    wanted = () if "--export-id" in options else ("--static-list-id", "1001")
    given = (option.format(folder=folder) for option in options)
    credentials = ("--client-id", CLIENT_ID, "--client-secret", CLIENT_SECRET)
    words = ("extract", "leads", "--url", url, *credentials, "--fields", "id,email")
    return [*words, *wanted, *output, *given]


def run(words: Sequence[str], clock: Clock) -> Ended:
    """Run the command in this process. Its pauses take no time."""
    patience = partial(Patience, clock=clock.seconds, sleep=clock.pause)
    with (
        patch.dict(os.environ, environment(), clear=True),
        patch.object(extraction, "Patience", patience),
    ):
        done = CliRunner().invoke(app, [*words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Ended(status=done.exit_code, out=done.stdout_bytes, err=done.stderr)


def stopped(endpoint: Endpoint, words: Sequence[str], stops: Sequence[Stop]) -> Ended:
    """Run the command as a process, and send it signals when their moments come."""

    def during(command: Forked) -> None:
        for stop in stops:
            wait_for(partial(_reached_or_ended, endpoint, stop.at, command))
            time.sleep(stop.later)
            command.send_signal(stop.signal)

    return forked(words, during)


def _reached_or_ended(endpoint: Endpoint, moment: Moment, command: Forked) -> bool:
    return reached(endpoint, moment) or not command.runs


def reached(endpoint: Endpoint, moment: Moment) -> bool:
    """Return whether the moment of a call has come."""
    return any(
        call.name == moment.call
        and call.nth == moment.nth
        and (call.answered or not moment.answered)
        for call in endpoint.calls.copy()
    )


def on_disk(folder: Path) -> dict[str, bytes]:
    """Return the regular files of a folder with their bytes."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def check(scenario: Scenario, endpoint: Endpoint, ended: Ended, folder: Path) -> None:
    """Raise `AssertionError` where something else came out than the scenario says."""
    __tracebackhide__ = True
    told = f"{ended.err}\n{endpoint.told()}\n{endpoint.states}"
    assert ended.status == scenario.status, told
    assert "Traceback" not in ended.err
    assert CLIENT_SECRET not in ended.err
    for pattern in scenario.says:
        assert re.search(pattern, ended.err, re.MULTILINE), f"{pattern!r} is not said:\n{told}"
    for pattern in scenario.never_says:
        assert not re.search(pattern, ended.err, re.MULTILINE), f"{pattern!r} is said:\n{told}"
    assert ended.out == scenario.out, told
    found = on_disk(folder)
    assert set(found) - set(scenario.may_leave) == set(scenario.disk), told
    for name, content in scenario.disk.items():
        assert isinstance(content, _Any) or found[name] == content, f"{name}: {told}"
    assert tuple(endpoint.states) == tuple(scenario.left), told
    for name, count in scenario.calls.items():
        assert endpoint.count(name) == count, told
    assert len(endpoint.unused) == scenario.unused, f"not met: {endpoint.unused}\n{told}"
    # A job that is left running is the fault that this suite is about: it must be told.
    for job in endpoint.jobs[len(scenario.others) :]:
        ended_or_told = job.state not in RUNNING or job.id in ended.err
        assert ended_or_told or UNKNOWN_DOUBLE in ended.err, f"{job.id} is {job.state}:\n{told}"
