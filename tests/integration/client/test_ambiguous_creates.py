"""Create without an answer: it is tried again, and jobs that it may have made are cancelled."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.extracting import NOTHING, Scenario, play
from tests.support.misbehaving import (
    ALWAYS,
    GONE,
    Close,
    CutOff,
    Endpoint,
    Fault,
    Html,
    Http,
    Json,
    Refusal,
    Reset,
    Right,
    Text,
    WithJob,
    WithMembers,
    first,
    nth,
)
from tests.support.misbehaving.faults import Answer

AMBIGUOUS: dict[str, Answer] = {
    "a reset": Reset(),
    "an end without an answer": Close(),
    "500": Http(500),
    "502": Http(502, "<html>", {"Content-Type": "text/html"}),
    "504": Http(504),
    "611": Refusal("611", "System error"),
    "713": Refusal("713", "Transient error"),
    "604": Refusal("604", "Request timed out"),
    "an empty body": Text(""),
    "HTML with status 200": Html(),
    "no result": Json({"requestId": "r", "success": True}),
}
"""Answers after which a job may have been made, or not."""

UNREADABLE: dict[str, Answer] = {
    "JSON that is cut off on the wire": CutOff(30),
    "a result of null": WithMembers(result=None),
    "a job without an id": WithJob(exportId=GONE),
}
"""Answers after which a job was made, though nobody says which."""

NOTHING_DONE: dict[str, Answer] = {
    "429": Http(429),
    "503": Http(503, "", {"Retry-After": "2"}),
    "606": Refusal("606", "Max rate limit '100' exceeded with in '20' secs"),
    "608": Refusal("608", "API temporarily unavailable"),
    "615": Refusal("615", "Concurrent access limit reached"),
}
"""Answers of an endpoint that did not even look at the request."""


def _another_run(endpoint: Endpoint) -> None:
    endpoint.add_job(request={"fields": ["id"], "filter": {"staticListId": 5}})


def _enqueue_by_another(endpoint: Endpoint) -> None:
    endpoint.jobs[0].state = "Queued"


def _scenarios() -> Iterator[Scenario]:
    for name, answer in AMBIGUOUS.items():
        yield Scenario(
            name=f"once, and no job was made: {name}",
            faults=[Fault("create", answer, effect=False)],
            calls={"create": 2, "cancel": 0},
        )
    for name, answer in (AMBIGUOUS | UNREADABLE).items():
        yield Scenario(
            name=f"once, and a job was made: {name}",
            faults=[Fault("create", answer, effect=True)],
            left=["Cancelled", "Completed"],
            calls={"create": 2, "cancel": 1},
        )
    for name, answer in NOTHING_DONE.items():
        yield Scenario(
            name=f"once, and nothing was done: {name}",
            faults=[Fault("create", answer)],
            calls={"create": 2, "list": 0, "cancel": 0},
        )


SCENARIOS = [
    *_scenarios(),
    Scenario(
        name="three times, and each time a job was made",
        faults=[Fault("create", Reset(), times=first(3), effect=True)],
        left=["Cancelled", "Cancelled", "Cancelled", "Completed"],
        calls={"create": 4},
    ),
    Scenario(
        name="three times, and a job was made in the second",
        faults=[
            Fault("create", Http(502), times=nth(1)),
            Fault("create", Http(502), times=nth(2), effect=True),
            Fault("create", Reset(), times=nth(3)),
        ],
        left=["Cancelled", "Completed"],
        calls={"create": 4},
    ),
    Scenario(
        name="for ever, and each time a job was made",
        faults=[Fault("create", Reset(), times=ALWAYS, effect=True)],
        status=1,
        says=["^error: .*reach"],
        disk=NOTHING,
        left=["Cancelled"] * 9,
        calls={"create": 9},
    ),
    Scenario(
        name="for ever, and no job was made",
        faults=[Fault("create", Http(502), times=ALWAYS)],
        status=1,
        says=["502"],
        disk=NOTHING,
        left=[],
        calls={"create": 9},
    ),
    Scenario(
        name="once, and the jobs of earlier runs are left alone",
        others=["Created", "Queued", "Created", "Completed"],
        faults=[Fault("create", Reset(), effect=True)],
        left=["Created", "Queued", "Created", "Completed", "Cancelled", "Completed"],
    ),
    Scenario(
        name="once without a job, while another run makes one",
        faults=[
            Fault("create", Reset(), meanwhile=_another_run),
            Fault("list", Right(), times=nth(3), meanwhile=_enqueue_by_another),
        ],
        left=["Queued", "Completed"],
        calls={"cancel": 0},
    ),
    Scenario(
        name="once with a job, while another run makes one",
        faults=[Fault("create", Reset(), effect=True, meanwhile=_another_run)],
        says=["00000001-", "00000002-"],
        left=["Created", "Created", "Completed"],
        calls={"cancel": 0},
    ),
    Scenario(
        name="once, and the list cannot be read for a while",
        faults=[
            Fault("create", Http(504), effect=True),
            Fault("list", Http(502), times=first(2)),
        ],
        left=["Cancelled", "Completed"],
    ),
    Scenario(
        name="once, and the list can never be read",
        faults=[
            Fault("create", Http(504), effect=True),
            Fault("list", Http(502), times=ALWAYS),
        ],
        says=["502"],
        left=["Created", "Completed"],
    ),
    Scenario(
        name="once, and the double cannot be cancelled",
        faults=[
            Fault("create", Http(504), effect=True),
            Fault("cancel", Refusal("611", "System error"), times=ALWAYS),
        ],
        says=["00000001-", "611"],
        left=["Created", "Completed"],
    ),
    Scenario(
        name="refused after an attempt that made a job",
        faults=[
            Fault("create", Http(502), effect=True),
            Fault("create", Refusal("1003", "Invalid filter"), times=nth(2)),
        ],
        status=1,
        says=["1003 Invalid filter"],
        disk=NOTHING,
        left=["Cancelled"],
    ),
    Scenario(
        name="a redirect",
        faults=[Fault("create", Http(302, "", {"Location": "https://x/"}), times=ALWAYS)],
        status=1,
        says=["elsewhere: https://x/"],
        disk=NOTHING,
        left=[],
    ),
    Scenario(
        name="404: no endpoint of the protocol",
        faults=[Fault("create", Http(404, "Not Found"), times=ALWAYS)],
        status=1,
        says=["404"],
        disk=NOTHING,
        left=[],
        calls={"create": 1},
    ),
    Scenario(
        name="a state that nobody knows",
        faults=[Fault("create", WithJob(status="Draft"))],
        calls={"create": 1, "enqueue": 1},
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_scenario(scenario: Scenario, tmp_path: Path) -> None:
    play(scenario, tmp_path)
