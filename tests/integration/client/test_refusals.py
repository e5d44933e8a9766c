"""Codes of the protocol: which pass, which end a run, and what is left at the endpoint."""

from pathlib import Path

import pytest
from tests.support.extracting import NOTHING, Scenario, play
from tests.support.misbehaving import (
    ALWAYS,
    Endpoint,
    Fault,
    Http,
    Refusal,
    Right,
    Script,
    first,
    nth,
)

RATE = Refusal("606", "Max rate limit '100' exceeded with in '20' secs")
AT_ONCE = Refusal("615", "Concurrent access limit reached")
DAY = Refusal("607", "Daily quota reached")
FULL = Refusal("1029", "Too many jobs in queue")
QUOTA = Refusal("1029", "Export daily quota 500MB exceeded")
ALREADY = Refusal("1029", "Job already queued")


def _free_a_place(endpoint: Endpoint) -> None:
    next(job for job in endpoint.jobs if job.state == "Queued").state = "Completed"


def _enqueue_by_another(endpoint: Endpoint) -> None:
    endpoint.jobs[-1].state = "Queued"


SCENARIOS = [
    *(
        Scenario(
            name=f"{answer.code} at {call}, twice",
            faults=[Fault(call, answer, times=first(2))],
            calls={call: 4 if call == "status" else 3, "cancel": 0},
        )
        for answer in (RATE, AT_ONCE)
        for call in ("create", "enqueue", "status", "file")
    ),
    Scenario(
        name="606 for ever at status",
        faults=[Fault("status", RATE, times=ALWAYS)],
        status=1,
        says=["606 Max rate limit"],
        disk=NOTHING,
        left=["Cancelled"],
    ),
    Scenario(
        name="607 at create",
        faults=[Fault("create", DAY, times=ALWAYS)],
        status=1,
        says=["607 Daily quota reached"],
        disk=NOTHING,
        left=[],
        calls={"create": 1},
    ),
    Scenario(
        name="607 at enqueue",
        faults=[Fault("enqueue", DAY, times=ALWAYS)],
        status=1,
        says=["607 Daily quota reached", "still in Created", "--export-id 00000001-"],
        disk=NOTHING,
        left=["Created"],
    ),
    Scenario(
        name="607 while polling: the job runs on, and can be taken up tomorrow",
        faults=[Fault("status", DAY, times=ALWAYS), Fault("cancel", DAY, times=ALWAYS)],
        status=1,
        says=["607 Daily quota reached", r"--export-id 00000001-"],
        disk=NOTHING,
        left=["Queued"],
        unused=1,
    ),
    Scenario(
        name="607 while polling, though cancel would work",
        faults=[Fault("status", DAY, times=ALWAYS)],
        status=1,
        says=["607 Daily quota reached", r"--export-id 00000001-"],
        disk=NOTHING,
        left=["Queued"],
        calls={"cancel": 0},
    ),
    Scenario(
        name="607 at the file",
        faults=[Fault("file", DAY, times=ALWAYS)],
        status=1,
        says=["607 Daily quota reached", r"--export-id 00000001-"],
        disk=NOTHING,
        left=["Completed"],
    ),
    Scenario(
        name="a full queue, until another job ends",
        others=["Queued"] * 10,
        faults=[Fault("enqueue", Right(), times=nth(3), meanwhile=_free_a_place)],
        left=["Completed", *["Queued"] * 9, "Completed"],
        calls={"create": 1, "enqueue": 3},
    ),
    Scenario(
        name="a full queue, told twice",
        faults=[Fault("enqueue", FULL, times=first(2))],
        calls={"create": 1, "enqueue": 3},
    ),
    Scenario(
        name="the day's export quota is used up, at create",
        faults=[Fault("create", QUOTA, times=ALWAYS)],
        status=1,
        says=["quota is used up until midnight in America/Chicago"],
        disk=NOTHING,
        left=[],
        calls={"create": 1},
    ),
    Scenario(
        name="the day's export quota is used up, at enqueue",
        faults=[Fault("enqueue", QUOTA, times=ALWAYS)],
        status=1,
        says=["quota is used up until midnight in America/Chicago"],
        disk=NOTHING,
        left=["Cancelled"],
        calls={"enqueue": 1},
    ),
    Scenario(
        name="already queued, after an answer that was lost",
        faults=[Fault("enqueue", Http(502), effect=True)],
        calls={"create": 1, "cancel": 0},
    ),
    Scenario(
        name="already queued, at the first attempt",
        faults=[Fault("enqueue", Right(), meanwhile=_enqueue_by_another)],
        calls={"create": 1, "enqueue": 1, "cancel": 0},
    ),
    Scenario(
        name="already queued, for a job that stays in Created",
        faults=[Fault("enqueue", ALREADY, times=ALWAYS)],
        status=1,
        says=["1029 Job already queued", "00000001-.* was cancelled"],
        disk=NOTHING,
        left=["Cancelled"],
    ),
    Scenario(
        name="a code that nobody knows, at create",
        faults=[Fault("create", Refusal("9999", "Something new"), times=ALWAYS)],
        status=1,
        says=["9999 Something new"],
        disk=NOTHING,
        left=[],
        calls={"create": 1},
    ),
    Scenario(
        name="a code that nobody knows, at enqueue",
        faults=[Fault("enqueue", Refusal("9999", "Something new"), times=ALWAYS)],
        status=1,
        says=["9999 Something new"],
        disk=NOTHING,
        left=["Cancelled"],
    ),
    Scenario(
        name="a refusal that wants the terminal to be cleared",
        faults=[Fault("create", Refusal("1003", "\x1b[2J[bold]oh\r\nno"), times=ALWAYS)],
        status=1,
        says=[r"1003 .*\[bold\]oh.? ?no"],
        never_says=["\x1b", "\r"],
        disk=NOTHING,
        left=[],
    ),
    Scenario(
        name="a refusal of a megabyte",
        faults=[Fault("create", Refusal("1003", "x" * 1_000_000), times=ALWAYS)],
        status=1,
        says=["1003 x{100}"],
        never_says=["x{2000}"],
        disk=NOTHING,
        left=[],
    ),
    Scenario(
        name="603, without a permission",
        faults=[Fault("create", Refusal("603", "Access denied"), times=ALWAYS)],
        status=1,
        says=["603 Access denied"],
        disk=NOTHING,
        left=[],
        calls={"create": 1, "token": 1},
    ),
    Scenario(
        name="Retry-After in seconds",
        faults=[Fault("status", Http(503, "", {"Retry-After": "7"}))],
        says=["503.*trying again in [78] s"],
    ),
    Scenario(
        name="Retry-After as an HTTP date",
        faults=[
            Fault(
                "status",
                Http(
                    429,
                    "",
                    {
                        "Date": "Sun, 01 Mar 2026 10:00:00 GMT",
                        "Retry-After": "Sun, 01 Mar 2026 10:00:09 GMT",
                    },
                ),
            )
        ],
        says=["429.*trying again in (9|10) s"],
    ),
    Scenario(
        name="Retry-After that asks for a year",
        faults=[Fault("status", Http(503, "", {"Retry-After": "31536000"}))],
        says=["503.*trying again in 6[01] s"],
    ),
    Scenario(
        name="Retry-After that has passed",
        faults=[
            Fault("status", Http(503, "", {"Retry-After": "Sun, 01 Mar 2020 10:00:00 GMT"})),
        ],
        says=["503.*trying again in [01] s"],
    ),
    *(
        Scenario(
            name=f"Retry-After that cannot be read: {value}",
            faults=[Fault("status", Http(503, "", {"Retry-After": value}))],
            says=["503.*trying again in [01] s"],
        )
        for value in ("soon", "-5", "NaN", "0x10", "Sun, 99 Mar 2026 10:00:00 GMT")
    ),
    Scenario(
        name="the job is cancelled while it waits for the queue",
        others=["Queued"] * 10,
        faults=[
            Fault(
                "enqueue",
                Right(),
                times=nth(2),
                meanwhile=lambda endpoint: setattr(endpoint.jobs[-1], "state", "Cancelled"),
            )
        ],
        status=1,
        says=["Job already queued|Cancelled"],
        disk=NOTHING,
        left=[*["Queued"] * 10, "Cancelled"],
    ),
    Scenario(
        name="a job of many looks",
        script=Script(course=(*["Queued"] * 10, *["Processing"] * 50, "Completed")),
        calls={"status": 61},
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_scenario(scenario: Scenario, tmp_path: Path) -> None:
    play(scenario, tmp_path)
