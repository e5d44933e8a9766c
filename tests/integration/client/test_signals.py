"""SIGINT, SIGTERM and SIGHUP in each phase of a run: it ends at once, and its job does too."""

import signal
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.extracting import (
    LABEL,
    NOTHING,
    OLD,
    PART,
    TARGET,
    Moment,
    Scenario,
    Stop,
    play,
)
from tests.support.misbehaving import (
    ALWAYS,
    CutOff,
    Endpoint,
    Fault,
    Hang,
    Http,
    Refusal,
    Right,
    Script,
    Then,
    nth,
)

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
NEVER = Script(course=())
TAKE_UP = "--export-id 00000001-"
LATER = 0.6
"""Signals that follow within half a second count as one."""


def _complete(endpoint: Endpoint) -> None:
    endpoint.jobs[-1].state = "Completed"


PHASES = [
    Scenario(
        name="no token yet",
        faults=[Fault("token", Hang())],
        stops=[Stop(signal.SIGTERM, Moment("token"))],
        disk=NOTHING,
        left=[],
    ),
    Scenario(
        name="the queue is full",
        others=["Queued"] * 10,
        stops=[Stop(signal.SIGTERM, Moment("enqueue", 2, answered=True))],
        says=["0000000b-.* was cancelled"],
        disk=NOTHING,
        left=[*["Queued"] * 10, "Cancelled"],
    ),
    Scenario(
        name="between two status calls",
        script=NEVER,
        stops=[Stop(signal.SIGTERM, Moment("status", 3, answered=True))],
        says=["00000001-.* was cancelled"],
        disk=NOTHING,
        left=["Cancelled"],
    ),
    Scenario(
        name="within a status call",
        faults=[Fault("status", Hang(), times=nth(2))],
        stops=[Stop(signal.SIGTERM, Moment("status", 2))],
        says=["00000001-.* was cancelled"],
        disk=NOTHING,
        left=["Cancelled"],
    ),
    Scenario(
        name="before a call is repeated",
        faults=[Fault("status", Http(503, "", {"Retry-After": "60"}))],
        stops=[Stop(signal.SIGTERM, Moment("status", answered=True))],
        says=["00000001-.* was cancelled"],
        disk=NOTHING,
        left=["Cancelled"],
    ),
    Scenario(
        name="within the file",
        faults=[Fault("file", CutOff(10_000, Then.HANG))],
        before={TARGET: OLD},
        stops=[Stop(signal.SIGTERM, Moment("file", answered=True))],
        says=[TAKE_UP],
        left=["Completed"],
        disk={TARGET: OLD},
        may_leave=[PART, LABEL],
    ),
]


def _by(number: signal.Signals, phase: Scenario) -> Scenario:
    """Return the scenario of a phase with another signal."""
    return replace(
        phase,
        name=f"{number.name}: {phase.name}",
        stops=[replace(stop, signal=number) for stop in phase.stops],
        status=STATUS[number],
        says=[f"stopped by {number.name}", *phase.says],
    )


SCENARIOS = [
    *(_by(number, phase) for number in STATUS for phase in PHASES),
    Scenario(
        name="within create, which makes a job",
        faults=[Fault("create", Hang(), effect=True)],
        stops=[Stop(signal.SIGTERM, Moment("create"))],
        status=143,
        says=["stopped by SIGTERM"],
        disk=NOTHING,
        left=["Cancelled"],
    ),
    Scenario(
        name="within create, which makes no job",
        faults=[Fault("create", Hang())],
        stops=[Stop(signal.SIGTERM, Moment("create"))],
        status=143,
        says=["stopped by SIGTERM"],
        disk=NOTHING,
        left=[],
    ),
    Scenario(
        name="within enqueue, which has its effect",
        faults=[Fault("enqueue", Hang(), effect=True)],
        stops=[Stop(signal.SIGHUP, Moment("enqueue"))],
        status=129,
        disk=NOTHING,
        left=["Cancelled"],
    ),
    Scenario(
        name="cancel is refused",
        script=NEVER,
        faults=[Fault("cancel", Refusal("603", "Access denied"), times=ALWAYS)],
        stops=[Stop(signal.SIGTERM, Moment("status", answered=True))],
        status=143,
        says=["00000001-.* could not be cancelled: .*603 Access denied", TAKE_UP],
        disk=NOTHING,
        left=["Queued"],
    ),
    Scenario(
        name="cancel fails once",
        script=NEVER,
        faults=[Fault("cancel", Http(502))],
        stops=[Stop(signal.SIGTERM, Moment("status", answered=True))],
        status=143,
        says=["was cancelled"],
        disk=NOTHING,
        left=["Cancelled"],
    ),
    Scenario(
        name="cancel has its effect, and its answer is lost",
        script=NEVER,
        faults=[Fault("cancel", Http(504), effect=True)],
        stops=[Stop(signal.SIGTERM, Moment("status", answered=True))],
        status=143,
        says=["was cancelled"],
        disk=NOTHING,
        left=["Cancelled"],
    ),
    Scenario(
        name="the job is Completed before it can be cancelled",
        script=NEVER,
        faults=[Fault("cancel", Right(), meanwhile=_complete)],
        stops=[Stop(signal.SIGTERM, Moment("status", answered=True))],
        status=143,
        says=["is Completed already", TAKE_UP],
        disk=NOTHING,
        left=["Completed"],
    ),
    Scenario(
        name="a second signal does not wait for cancel",
        script=NEVER,
        faults=[Fault("cancel", Hang(), times=ALWAYS)],
        stops=[
            Stop(signal.SIGTERM, Moment("status", answered=True)),
            Stop(signal.SIGTERM, Moment("cancel"), later=LATER),
        ],
        status=143,
        says=["00000001-.* may not be cancelled: the run was interrupted again", TAKE_UP],
        disk=NOTHING,
        left=["Queued"],
    ),
    Scenario(
        name="Ctrl-C twice",
        script=NEVER,
        faults=[Fault("cancel", Hang(), times=ALWAYS)],
        stops=[
            Stop(signal.SIGINT, Moment("status", answered=True)),
            Stop(signal.SIGINT, Moment("cancel"), later=LATER),
        ],
        status=130,
        says=["00000001-.* may not be cancelled"],
        disk=NOTHING,
        left=["Queued"],
    ),
    Scenario(
        name="SIGTERM while Ctrl-C is carried out",
        script=NEVER,
        faults=[Fault("cancel", Hang(), effect=True)],
        stops=[
            Stop(signal.SIGINT, Moment("status", answered=True)),
            Stop(signal.SIGTERM, Moment("cancel"), later=LATER),
        ],
        status=130,
        says=["00000001-"],
        disk=NOTHING,
        left=["Cancelled"],
    ),
    Scenario(
        name="to standard output, within the file",
        options=["--output", "-"],
        faults=[Fault("file", CutOff(0, Then.HANG))],
        stops=[Stop(signal.SIGTERM, Moment("file", answered=True))],
        status=143,
        says=[TAKE_UP],
        disk=NOTHING,
        left=["Completed"],
    ),
    Scenario(
        name="a job that was taken up is left to whoever made it",
        others=["Processing"],
        script=NEVER,
        options=["--export-id", "00000001-0000-4000-8000-000000000000"],
        stops=[Stop(signal.SIGTERM, Moment("status", 2))],
        status=143,
        says=["00000001-"],
        disk=NOTHING,
        left=["Processing"],
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_scenario(scenario: Scenario, tmp_path: Path) -> None:
    play(scenario, tmp_path)
