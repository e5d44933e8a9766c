"""Calls about an existing job can be repeated: an answer that cannot be read passes, like a 502."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.extracting import NOTHING, WHOLE, Scenario, play
from tests.support.misbehaving import (
    ALWAYS,
    GONE,
    ByteByByte,
    Close,
    CutOff,
    Fault,
    Gzipped,
    Headers,
    Html,
    Http,
    Json,
    OtherBytes,
    Refusal,
    Reset,
    Script,
    Text,
    WithJob,
    WithMembers,
    first,
    nth,
)
from tests.support.misbehaving.faults import Answer

OK = {"requestId": "r", "success": True}

UNREADABLE: dict[str, Answer] = {
    "an empty body": Text(""),
    "spaces": Text(" \n"),
    "HTML with status 200": Html(),
    "JSON that ends in the middle": Text('{"requestId":"r","succ'),
    "JSON that is cut off on the wire": CutOff(20),
    "no result": Json(OK),
    "a result of null": WithMembers(result=None),
    "a result without jobs": Json(OK | {"result": []}),
    "a result of null jobs": Json(OK | {"result": [None]}),
    "a result that is a text": Json(OK | {"result": "Queued"}),
    "a result that is an object": Json(OK | {"result": {}}),
    "null": Text("null"),
    "a number": Text("42"),
    "a list": Json([]),
    "neither success nor errors": Json({"requestId": "r"}),
    "success that is null": WithMembers(success=None),
    "a failure without errors": Json({"requestId": "r", "success": False}),
    "a failure with no error in its list": Json({"success": False, "errors": []}),
    "a failure with errors of null": Json({"success": False, "errors": None}),
    "a failure with an empty error": Json({"success": False, "errors": [{}]}),
    "bytes that are not UTF-8": OtherBytes(lambda _: b'{"success": "\xff\xfe'),
    "a hundred thousand brackets": Text("[" * 100_000),
    "a number of ten thousand digits": Text("1" * 10_000),
    "text that claims to be gzip": Headers({"Content-Encoding": "gzip"}),
    "a job without an id": WithJob(exportId=GONE),
    "another job's id": WithJob(exportId="ffffffff-0000-4000-8000-000000000000"),
    "a job without a state": WithJob(status=GONE),
    "a state of null": WithJob(status=None),
    "a state that is a number": WithJob(status=3),
    "no content": Http(204),
    "502 with HTML": Http(502, "<html>", {"Content-Type": "text/html"}),
    "500 with an envelope": Refusal("611", "System error", 500),
    "503 and the wait in seconds": Http(503, "", {"Retry-After": "1"}),
    "504": Http(504),
    "408": Http(408),
    "429": Http(429),
    "a reset": Reset(),
    "an end without an answer": Close(),
    "611": Refusal("611", "System error"),
    "713": Refusal("713", "Transient error"),
    "608": Refusal("608", "API temporarily unavailable"),
    "606": Refusal("606", "Max rate limit '100' exceeded with in '20' secs"),
    "615": Refusal("615", "Concurrent access limit reached"),
    "604": Refusal("604", "Request timed out"),
    "an error without a message": Refusal("713", GONE),
    "an error whose message is null": Refusal("713", None),
    "an error whose code is a number": Refusal(713),
}

READABLE: dict[str, Answer] = {
    "gzip": Gzipped(),
    "byte by byte": ByteByByte(),
    "a byte order mark": OtherBytes(lambda body: b"\xef\xbb\xbf" + body),
    "members that nobody knows": WithJob(colour="red", parts=[{}]),
    "warnings and errors besides": WithMembers(warnings=["w"], errors=[]),
    "a text as its media type": Headers({"Content-Type": "text/plain"}),
    "a state that nobody knows": WithJob(status="Resting"),
    "a state in small letters": WithJob(status="processing"),
    "dates with milliseconds": WithJob(createdAt="2026-01-31T10:00:00.123Z"),
    "dates as those of assets": WithJob(createdAt="2026-01-31T10:00:00Z+0000"),
    "dates with an offset": WithJob(createdAt="2026-01-31T10:00:00-0600"),
    "dates that cannot be read": WithJob(createdAt="yesterday", queuedAt=5),
    "a size that is a text": WithJob(fileSize="large"),
    "numbers as text": WithJob(fileSize="12"),
    "a format of null": WithJob(format=None),
}


def _scenarios() -> Iterator[Scenario]:
    for name, answer in UNREADABLE.items():
        yield Scenario(
            name=f"status: {name}",
            faults=[Fault("status", answer, effect=True)],
            calls={"create": 1, "cancel": 0},
        )
    for name, answer in READABLE.items():
        yield Scenario(
            name=f"status: {name}",
            faults=[Fault("status", answer, times=first(2))],
            script=Script(course=("Queued", "Processing", "Completed")),
            never_says=["trying again"],
            calls={"status": 3, "cancel": 0},
        )
    for name in ("no result", "HTML with status 200", "a reset", "504", "another job's id", "611"):
        for effect in (False, True):
            if not effect and name == "another job's id":
                continue
            when = "after" if effect else "before"
            yield Scenario(
                name=f"enqueue, {when} the effect: {name}",
                faults=[Fault("enqueue", UNREADABLE[name], effect=effect)],
                calls={"create": 1, "cancel": 0},
            )
    for name in ("an empty body", "502 with HTML", "no result", "a reset"):
        yield Scenario(
            name=f"status, for ever: {name}",
            faults=[Fault("status", UNREADABLE[name], times=ALWAYS)],
            status=1,
            says=["^error: "],
            disk=NOTHING,
            left=["Cancelled"],
            calls={"create": 1, "file": 0},
        )


SCENARIOS = [
    *_scenarios(),
    Scenario(
        name="status: a state that nobody knows, for some time",
        faults=[Fault("status", WithJob(status="Resting"), times=first(8))],
        script=Script(course=(*["Processing"] * 8, "Completed")),
        calls={"status": 9},
    ),
    Scenario(
        name="status: three kinds of trouble, one after the other",
        faults=[
            Fault("status", Reset(), times=nth(1)),
            Fault("status", Html(), times=nth(2)),
            Fault("status", Refusal("713"), times=nth(3)),
        ],
        calls={"status": 5},
    ),
    Scenario(
        name="status: a state that goes back",
        faults=[
            Fault("status", WithJob(status="Queued"), times=nth(2)),
            Fault("status", WithJob(status="Created"), times=nth(3)),
        ],
        script=Script(course=(*["Processing"] * 4, "Completed")),
        calls={"status": 5, "enqueue": 1},
    ),
    Scenario(
        name="status: a redirect, once",
        faults=[Fault("status", Http(302, "", {"Location": "/maintenance.html"}))],
        disk=WHOLE,
    ),
    Scenario(
        name="status: 404, once, for a job that exists",
        faults=[Fault("status", Http(404, "Not Found"))],
    ),
    Scenario(
        name="status: 1003, the job is not known any more",
        faults=[Fault("status", Refusal("1003", "Export job not found"), times=ALWAYS)],
        status=1,
        says=["1003 Export job not found"],
        disk=NOTHING,
        left=["Cancelled"],
    ),
    Scenario(
        name="status: 603, the permission was taken away",
        faults=[
            Fault("status", Refusal("603", "Access denied"), times=ALWAYS),
            Fault("cancel", Refusal("603", "Access denied"), times=ALWAYS),
        ],
        status=1,
        says=["603 Access denied", r"00000001-"],
        disk=NOTHING,
        left=["Queued"],
    ),
    Scenario(
        name="the job fails",
        script=Script(course=("Processing", "Failed"), error="out of disk"),
        status=1,
        says=["is Failed: out of disk"],
        disk=NOTHING,
        left=["Failed"],
        calls={"cancel": 0},
    ),
    Scenario(
        name="the job fails without a reason",
        script=Script(course=("Failed",)),
        status=1,
        says=["is Failed\n"],
        disk=NOTHING,
        left=["Failed"],
        calls={"cancel": 0},
    ),
    Scenario(
        name="others cancel the job",
        script=Script(course=("Processing", "Cancelled")),
        status=1,
        says=["is Cancelled"],
        disk=NOTHING,
        left=["Cancelled"],
        calls={"cancel": 0},
    ),
    Scenario(
        name="others cancel the job, spelled with one l",
        script=Script(course=("Canceled",)),
        status=1,
        says=["is Cancelled"],
        disk=NOTHING,
        left=["Canceled"],
    ),
    Scenario(
        name="the job is Completed before it was looked at",
        script=Script(course=("Completed",)),
        calls={"status": 1},
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_scenario(scenario: Scenario, tmp_path: Path) -> None:
    play(scenario, tmp_path)
