"""`--timeout`, `--queue-wait` and `--poll-interval`: how long a run takes, and what it leaves."""

from pathlib import Path

import pytest
from tests.support.extracting import LABEL, NOTHING, OLD, PART, TARGET, Scenario, play
from tests.support.misbehaving import (
    ALWAYS,
    ByteByByte,
    CutOff,
    Fault,
    Hang,
    Http,
    Refusal,
    Script,
    Text,
    Then,
    WithJob,
)

NEVER = Script(course=())
UP = "^error: The time for the run is up: "
TAKE_UP = "--export-id 00000001-"
MINUTE = ["--timeout", "60s"]
SECOND = ["--timeout", "1s"]
"""For endpoints that hang: the client waits for the network for so long."""
CUT = 10_000

SCENARIOS = [
    Scenario(
        name="the job is never processed",
        script=NEVER,
        options=MINUTE,
        status=1,
        says=[UP + "60 s", "00000001-.* was cancelled"],
        disk=NOTHING,
        left=["Cancelled"],
    ),
    Scenario(
        name="the job is processed for ever, and the old file stays",
        script=Script(course=("Processing",)),
        options=["--timeout", "10m"],
        before={TARGET: OLD},
        status=1,
        says=[UP + "600 s"],
        disk={TARGET: OLD},
        left=["Cancelled"],
    ),
    *(
        Scenario(
            name=f"a state of {state!r}, for ever",
            script=NEVER,
            faults=[Fault("status", WithJob(status=state), times=ALWAYS)],
            options=MINUTE,
            status=1,
            says=[UP, "was cancelled"],
            disk=NOTHING,
            left=["Cancelled"],
        )
        for state in ("Resting", None, "")
    ),
    Scenario(
        name="the queue is full for ever",
        others=["Queued"] * 10,
        options=MINUTE,
        status=1,
        says=[UP, "0000000b-.* was cancelled"],
        disk=NOTHING,
        left=[*["Queued"] * 10, "Cancelled"],
    ),
    Scenario(
        name="status is in maintenance for ever: the last problem is told",
        faults=[Fault("status", Http(503, "", {"Retry-After": "50"}), times=ALWAYS)],
        options=MINUTE,
        status=1,
        says=[UP + ".*503", "was cancelled"],
        disk=NOTHING,
        left=["Cancelled"],
    ),
    Scenario(
        name="no token for a long time",
        faults=[Fault("token", Http(503, "", {"Retry-After": "50"}), times=ALWAYS)],
        options=MINUTE,
        status=1,
        says=[UP + ".*503"],
        disk=NOTHING,
        left=[],
    ),
    Scenario(
        name="the file is in maintenance for ever",
        faults=[Fault("file", Http(503, "", {"Retry-After": "50"}), times=ALWAYS)],
        options=MINUTE,
        status=1,
        says=[UP, TAKE_UP],
        disk=NOTHING,
    ),
    Scenario(
        name="it is enough, just",
        faults=[Fault("status", Http(503, "", {"Retry-After": "50"}))],
        options=MINUTE,
    ),
    Scenario(
        name="the token call hangs",
        faults=[Fault("token", Hang(), times=ALWAYS)],
        options=SECOND,
        status=1,
        says=["^error: "],
        disk=NOTHING,
        left=[],
    ),
    Scenario(
        name="create hangs, and has made a job",
        faults=[Fault("create", Hang(), effect=True)],
        options=SECOND,
        status=1,
        says=["^error: "],
        disk=NOTHING,
        left=["Cancelled"],
    ),
    Scenario(
        name="enqueue hangs, and has had its effect",
        faults=[Fault("enqueue", Hang(), effect=True)],
        options=SECOND,
        status=1,
        says=["was cancelled"],
        disk=NOTHING,
        left=["Cancelled"],
    ),
    Scenario(
        name="status hangs",
        faults=[Fault("status", Hang(), times=ALWAYS)],
        options=SECOND,
        status=1,
        says=["was cancelled"],
        disk=NOTHING,
        left=["Cancelled"],
    ),
    Scenario(
        name="status hangs after half of its answer",
        script=NEVER,
        faults=[Fault("status", CutOff(20, Then.HANG), times=ALWAYS)],
        options=SECOND,
        status=1,
        says=["was cancelled"],
        disk=NOTHING,
        left=["Cancelled"],
    ),
    Scenario(
        name="the file hangs in the middle",
        faults=[Fault("file", CutOff(CUT, Then.HANG), times=ALWAYS)],
        options=SECOND,
        status=1,
        says=[TAKE_UP],
        disk=NOTHING,
        may_leave=[PART, LABEL],
    ),
    Scenario(
        name="the file hangs before its first byte",
        faults=[Fault("file", Hang(), times=ALWAYS)],
        options=SECOND,
        status=1,
        says=[TAKE_UP],
        disk=NOTHING,
    ),
    Scenario(
        name="the file comes byte by byte, and in time",
        faults=[Fault("file", ByteByByte())],
        options=MINUTE,
    ),
    Scenario(
        name="cancel cannot be reached either",
        script=NEVER,
        faults=[Fault("cancel", Http(503, "", {"Retry-After": "50"}), times=ALWAYS)],
        options=MINUTE,
        status=1,
        says=[UP, "00000001-.* could not be cancelled: .*503", TAKE_UP],
        disk=NOTHING,
        left=["Queued"],
    ),
    Scenario(
        name="create is tried until the time is up, and leaves no double",
        faults=[Fault("create", Text(""), times=ALWAYS, effect=True)],
        options=["--timeout", "5s"],
        status=1,
        says=[UP],
        disk=NOTHING,
        left=["Cancelled"] * 4,
        calls={"create": 4},
    ),
    Scenario(
        name="a full queue is not waited for",
        others=["Queued"] * 10,
        options=["--queue-wait", "0"],
        status=1,
        says=["1029 Too many jobs in queue", "0000000b-.* was cancelled"],
        disk=NOTHING,
        left=[*["Queued"] * 10, "Cancelled"],
        calls={"enqueue": 1},
    ),
    Scenario(
        name="a full queue is waited for, up to a limit",
        faults=[Fault("enqueue", Refusal("1029", "Too many jobs in queue"), times=ALWAYS)],
        options=["--queue-wait", "30s"],
        status=1,
        says=["1029 Too many jobs in queue", "00000001-.* was cancelled"],
        disk=NOTHING,
        left=["Cancelled"],
        calls={"enqueue": 14},
    ),
    Scenario(
        name="a fast pace",
        script=NEVER,
        options=["--timeout", "2s", "--poll-interval", "0.1s"],
        status=1,
        disk=NOTHING,
        left=["Cancelled"],
        calls={"status": 19},
    ),
    Scenario(
        name="a slow pace",
        script=NEVER,
        options=["--timeout", "1h", "--poll-interval", "10m"],
        status=1,
        disk=NOTHING,
        left=["Cancelled"],
        calls={"status": 23},
    ),
    *(
        Scenario(
            name=f"not a duration: {option} {value}",
            options=[option, value],
            status=2,
            says=[option],
            disk=NOTHING,
            left=[],
            calls={"token": 0},
        )
        for option, value in (
            ("--timeout", "soon"),
            ("--timeout", "0"),
            ("--timeout", "-5"),
            ("--poll-interval", "0"),
            ("--poll-interval", "NaN"),
            ("--queue-wait", "1 year"),
        )
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_scenario(scenario: Scenario, tmp_path: Path) -> None:
    play(scenario, tmp_path)
