"""`--export-id`: an existing job is taken up, with the bytes that an earlier run has left."""

import json
from pathlib import Path

import pytest
from tests.support.extracting import ANY, LABEL, NOTHING, OLD, PART, TARGET, Scenario, play
from tests.support.misbehaving import (
    ALWAYS,
    FILE,
    GONE,
    CutOff,
    Endpoint,
    Fault,
    Http,
    OtherBytes,
    Refusal,
    Right,
    Script,
    WithJob,
    first,
    nth,
    sha256,
)

ID = "00000001-0000-4000-8000-000000000000"
TAKE_UP = ["--export-id", ID]
CUT = 10_000
NONE_MADE = {"create": 0, "cancel": 0}


def label(**other: object) -> bytes:
    """Return the label of a part of the job's file."""
    content = {"exportId": ID, "checksum": sha256(FILE), "bytes": len(FILE), "validator": ""}
    return json.dumps(content | other).encode()


def _cancel(endpoint: Endpoint) -> None:
    endpoint.jobs[0].state = "Cancelled"


SCENARIOS = [
    *(
        Scenario(
            name=f"a job in {state}",
            others=[state],
            options=TAKE_UP,
            calls=NONE_MADE | {"enqueue": 1 if state == "Created" else 0},
        )
        for state in ("Created", "Queued", "Processing", "Completed")
    ),
    *(
        Scenario(
            name=f"a job that is {state}",
            others=[state],
            options=TAKE_UP,
            before={TARGET: OLD},
            status=1,
            says=[f"{ID} is {state}"],
            disk={TARGET: OLD},
            left=[state],
            calls=NONE_MADE,
        )
        for state in ("Failed", "Cancelled")
    ),
    Scenario(
        name="a job that there is not",
        others=["Completed"],
        options=["--export-id", "00000009-0000-4000-8000-000000000000"],
        status=1,
        says=["1003 Export job '00000009-.*' not found"],
        disk=NOTHING,
        calls=NONE_MADE,
    ),
    Scenario(
        name="an id in capitals",
        others=["Completed"],
        options=["--export-id", ID.upper()],
        disk={TARGET: FILE},
        calls=NONE_MADE,
    ),
    Scenario(
        name="an id that would be another path",
        others=["Completed"],
        options=["--export-id", "../create"],
        status=2,
        says=["'../create' is no id of a job"],
        disk=NOTHING,
        calls={"token": 0},
    ),
    Scenario(
        name="bytes that are there are not fetched again",
        others=["Completed"],
        options=TAKE_UP,
        before={PART: FILE[:CUT], LABEL: label()},
        calls={"file": 1},
    ),
    Scenario(
        name="all bytes are there already",
        others=["Completed"],
        options=TAKE_UP,
        before={PART: FILE, LABEL: label()},
        calls={"file": 0},
    ),
    Scenario(
        name="bytes that are wrong are fetched again",
        others=["Completed"],
        options=TAKE_UP,
        before={PART: b"X" * CUT, LABEL: label()},
        calls={"file": 2},
    ),
    Scenario(
        name="more bytes than the file has",
        others=["Completed"],
        options=TAKE_UP,
        before={PART: FILE + b"more", LABEL: label()},
    ),
    *(
        Scenario(
            name=f"bytes of {of}",
            others=["Completed"],
            options=TAKE_UP,
            before={PART: b"X" * CUT, LABEL: content},
            calls={"file": 1},
        )
        for of, content in {
            "another job": label(exportId="00000002"),
            "another file of the job": label(checksum="sha256:00"),
            "a label that is no JSON": b"{",
            "a label that is a list": b"[]",
            "a label that is empty": b"",
        }.items()
    ),
    Scenario(
        name="bytes are kept when it breaks off again",
        others=["Completed"],
        options=TAKE_UP,
        before={PART: FILE[:100], LABEL: label()},
        faults=[
            Fault("file", CutOff(CUT - 100)),
            Fault("file", Http(502), times=ALWAYS),
        ],
        status=1,
        says=[f"broke off at {CUT} bytes", f"--export-id {ID}"],
        disk={PART: FILE[:CUT], LABEL: ANY},
        calls=NONE_MADE,
    ),
    Scenario(
        name="the endpoint ignores Range",
        others=["Completed"],
        options=TAKE_UP,
        endpoint={"ranges": False},
        before={PART: FILE[:CUT], LABEL: label()},
        calls={"file": 1},
    ),
    Scenario(
        name="no sum: the file changed since then",
        others=["Completed"],
        script=Script(announced={"fileChecksum": GONE}),
        options=TAKE_UP,
        before={PART: b"Y" * CUT, LABEL: label(checksum=None, validator='"old"')},
        disk={TARGET: FILE},
    ),
    Scenario(
        name="the file is gone",
        others=["Completed"],
        options=TAKE_UP,
        faults=[Fault("file", Http(404, "Not Found"), times=ALWAYS)],
        status=1,
        says=["no such export file"],
        disk=NOTHING,
        calls=NONE_MADE,
    ),
    Scenario(
        name="the file is gone, and the bytes so far stay",
        others=["Completed"],
        options=TAKE_UP,
        before={PART: FILE[:CUT], LABEL: label()},
        faults=[Fault("file", Http(404, "Not Found"), times=ALWAYS)],
        status=1,
        says=["no such export file"],
        disk={PART: FILE[:CUT], LABEL: ANY},
    ),
    Scenario(
        name="wrong bytes, always",
        others=["Completed"],
        options=TAKE_UP,
        before={TARGET: OLD},
        faults=[Fault("file", OtherBytes(lambda file: b"X" + file[1:]), times=ALWAYS)],
        status=1,
        says=["not the one that the server announced"],
        disk={TARGET: OLD},
        calls=NONE_MADE,
    ),
    Scenario(
        name="the time is up: the job is left to whoever made it",
        others=["Processing"],
        script=Script(course=()),
        options=[*TAKE_UP, "--timeout", "60s"],
        status=1,
        says=[f"{ID} was left as it is"],
        disk=NOTHING,
        left=["Processing"],
        calls=NONE_MADE,
    ),
    Scenario(
        name="607 while polling",
        others=["Processing"],
        options=TAKE_UP,
        faults=[Fault("status", Refusal("607", "Daily quota reached"), times=nth(2))],
        status=1,
        says=["607 Daily quota reached", f"--export-id {ID}"],
        disk=NOTHING,
        left=["Processing"],
        calls=NONE_MADE,
    ),
    Scenario(
        name="others cancel it",
        others=["Processing"],
        options=TAKE_UP,
        faults=[Fault("status", Right(), times=nth(2), meanwhile=_cancel)],
        script=Script(course=("Processing", "Completed")),
        status=1,
        says=["is Cancelled"],
        disk=NOTHING,
        left=["Cancelled"],
    ),
    Scenario(
        name="the status cannot be read for a while",
        others=["Queued"],
        options=TAKE_UP,
        faults=[Fault("status", Http(502), times=first(3))],
        calls=NONE_MADE,
    ),
    Scenario(
        name="the day's export quota is used up, at enqueue",
        others=["Created"],
        options=TAKE_UP,
        faults=[Fault("enqueue", Refusal("1029", "Export daily quota 500MB exceeded"))],
        status=1,
        says=["until midnight in America/Chicago"],
        disk=NOTHING,
        left=["Created"],
        calls=NONE_MADE,
    ),
    Scenario(
        name="to standard output",
        others=["Completed"],
        options=[*TAKE_UP, "--output", "-"],
        disk=NOTHING,
        out=FILE,
    ),
    Scenario(
        name="another job's id in the answer",
        others=["Completed"],
        options=TAKE_UP,
        faults=[Fault("status", WithJob(exportId="ffffffff-0000-4000-8000-000000000000"))],
        calls={"status": 2},
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_scenario(scenario: Scenario, tmp_path: Path) -> None:
    play(scenario, tmp_path)


@pytest.mark.parametrize("value", ["", " "])
def test_an_empty_id_is_refused(value: str, tmp_path: Path) -> None:
    scenario = Scenario(
        name="empty",
        options=["--export-id", value],
        status=2,
        says=["--export-id"],
        disk=NOTHING,
        left=[],
        calls={"token": 0},
    )
    play(scenario, tmp_path)
