"""The file of a Completed job: broken off, changed, another one, or not there."""

import gzip
from pathlib import Path

import pytest
from tests.support.extracting import ANY, LABEL, NOTHING, OLD, PART, TARGET, Disk, Scenario, play
from tests.support.misbehaving import (
    ALWAYS,
    FILE,
    ByteByByte,
    Close,
    CutOff,
    Endpoint,
    Fault,
    Gzipped,
    Headers,
    Html,
    Http,
    Json,
    OtherBytes,
    Refusal,
    Reset,
    Right,
    Script,
    Then,
    first,
    lines,
    nth,
)

TAKE_UP = r"--export-id 00000001-"
CUT = 10_000
OTHER = lines(1001)
LOST: Disk = {PART: FILE[:CUT], LABEL: ANY}


def _change(endpoint: Endpoint) -> None:
    endpoint.jobs[-1].file = FILE[:-5] + b"other"


SCENARIOS = [
    Scenario(
        name="broken off once",
        faults=[Fault("file", CutOff(CUT))],
        calls={"file": 2},
    ),
    Scenario(
        name="reset in the middle",
        faults=[Fault("file", CutOff(CUT, Then.RESET))],
        calls={"file": 2},
    ),
    Scenario(
        name="broken off twenty times, each time further",
        faults=[Fault("file", CutOff(1000), times=first(20))],
        calls={"file": 21},
    ),
    Scenario(
        name="broken off before the first byte, twice",
        faults=[Fault("file", CutOff(0), times=first(2))],
        calls={"file": 3},
    ),
    Scenario(
        name="broken off before the last byte",
        faults=[Fault("file", CutOff(len(FILE) - 1))],
        calls={"file": 2},
    ),
    Scenario(
        name="broken off, and never a byte more",
        faults=[
            Fault("file", CutOff(CUT), times=nth(1)),
            Fault("file", CutOff(0), times=ALWAYS),
        ],
        status=1,
        says=[f"broke off at {CUT} bytes", TAKE_UP],
        disk=LOST,
    ),
    Scenario(
        name="never a byte",
        faults=[Fault("file", Reset(), times=ALWAYS)],
        status=1,
        says=["broke off at 0 bytes", TAKE_UP],
        disk=NOTHING,
    ),
    Scenario(name="byte by byte", faults=[Fault("file", ByteByByte())]),
    Scenario(
        name="an endpoint that ignores Range",
        endpoint={"ranges": False},
        faults=[Fault("file", CutOff(CUT))],
        calls={"file": 2},
    ),
    Scenario(
        name="another range than the one asked for",
        faults=[
            Fault("file", CutOff(CUT)),
            Fault("file", Headers({"Content-Range": f"bytes 0-9/{len(FILE)}"}), times=nth(2)),
        ],
    ),
    Scenario(
        name="a range without Content-Range",
        faults=[
            Fault("file", CutOff(CUT)),
            Fault("file", Headers({"Content-Range": ""}), times=nth(2)),
        ],
    ),
    Scenario(
        name="changed in between",
        faults=[
            Fault("file", CutOff(CUT), meanwhile=_change),
            Fault("file", Right(), times=nth(2)),
        ],
        status=1,
        says=["not the one that the server announced", TAKE_UP],
        disk=NOTHING,
    ),
    Scenario(
        name="changed in between, and changed back",
        faults=[Fault("file", OtherBytes(lambda file: b"X" + file[1:]))],
        calls={"file": 2},
    ),
    Scenario(
        name="without Content-Length",
        faults=[Fault("file", Headers({"Content-Length": ""}))],
        calls={"file": 1},
    ),
    Scenario(
        name="without Content-Length, and cut off",
        faults=[Fault("file", OtherBytes(lambda file: file[:CUT]))],
        calls={"file": 2},
    ),
    Scenario(
        name="too long by a byte, once",
        faults=[Fault("file", OtherBytes(lambda file: file + b"\n"))],
    ),
    Scenario(
        name="too long, always",
        faults=[Fault("file", OtherBytes(lambda file: file + b"\n"), times=ALWAYS)],
        status=1,
        says=[f"has more than {len(FILE)} bytes", TAKE_UP],
        disk=NOTHING,
    ),
    Scenario(
        name="too short, always",
        faults=[Fault("file", OtherBytes(lambda file: file[:CUT]), times=ALWAYS)],
        endpoint={"ranges": False},
        status=1,
        says=[TAKE_UP],
        disk=LOST,
    ),
    Scenario(
        name="empty, always",
        faults=[Fault("file", OtherBytes(lambda _: b""), times=ALWAYS)],
        status=1,
        says=[TAKE_UP],
        disk=NOTHING,
    ),
    Scenario(
        name="wrong bytes, always",
        faults=[Fault("file", OtherBytes(lambda file: b"X" + file[1:]), times=ALWAYS)],
        status=1,
        says=["not the one that the server announced", TAKE_UP],
        disk=NOTHING,
        calls={"file": 2},
    ),
    Scenario(
        name="wrong bytes, and the old file stays",
        faults=[Fault("file", OtherBytes(lambda file: b"X" + file[1:]), times=ALWAYS)],
        before={TARGET: OLD},
        status=1,
        disk={TARGET: OLD},
    ),
    Scenario(
        name="404 for a while, though Completed",
        faults=[Fault("file", Http(404, "Not Found"), times=first(2))],
        calls={"file": 3},
    ),
    Scenario(
        name="404 for ever, though Completed",
        faults=[Fault("file", Http(404, "Not Found"), times=ALWAYS)],
        status=1,
        says=["no such export file", TAKE_UP],
        disk=NOTHING,
        calls={"cancel": 0},
    ),
    Scenario(
        name="HTML with status 200, once",
        faults=[Fault("file", Html())],
    ),
    Scenario(
        name="HTML with status 200, always",
        faults=[Fault("file", Html(), times=ALWAYS)],
        status=1,
        says=["HTML|html", TAKE_UP],
        disk=NOTHING,
    ),
    Scenario(
        name="JSON in place of the file, once: 713",
        faults=[Fault("file", Refusal("713", "Transient error"))],
    ),
    Scenario(
        name="JSON in place of the file, once: no envelope",
        faults=[Fault("file", Json({"wait": True}))],
    ),
    Scenario(
        name="JSON in place of the file, always: 1003",
        faults=[Fault("file", Refusal("1003", "Export job expired"), times=ALWAYS)],
        status=1,
        says=["1003 Export job expired", TAKE_UP],
        disk=NOTHING,
    ),
    Scenario(name="502, once", faults=[Fault("file", Http(502))]),
    Scenario(name="503, with a wait", faults=[Fault("file", Http(503, "", {"Retry-After": "1"}))]),
    Scenario(name="an end without an answer", faults=[Fault("file", Close())]),
    Scenario(
        name="gzip as its encoding",
        faults=[Fault("file", Gzipped())],
    ),
    Scenario(
        name="gzip as its encoding, always",
        faults=[Fault("file", Gzipped(), times=ALWAYS)],
    ),
    Scenario(
        name="gzip as its encoding, and cut off",
        faults=[
            Fault("file", CutOff(CUT), times=nth(1)),
            Fault("file", Gzipped(), times=nth(2)),
        ],
    ),
    Scenario(
        name="bytes that are not the gzip that they claim to be, once",
        faults=[Fault("file", Headers({"Content-Encoding": "gzip"}))],
    ),
    Scenario(
        name="a file of gzip, asked for",
        options=["--format", "CSV.GZ"],
        script=Script(file=gzip.compress(FILE, mtime=0), announced={"numberOfRecords": 1000}),
        disk={TARGET: gzip.compress(FILE, mtime=0)},
    ),
    Scenario(
        name="an export of no records",
        script=Script(file=lines(0)),
        disk={TARGET: lines(0)},
    ),
    Scenario(
        name="a redirect to where there is none",
        faults=[Fault("file", Http(307, "", {"Location": "/bulk/v1/leads/export/x/file.json"}))],
    ),
    Scenario(
        name="to standard output",
        options=["--output", "-"],
        disk=NOTHING,
        out=FILE,
    ),
    Scenario(
        name="to standard output, broken off twice",
        options=["--output", "-"],
        faults=[Fault("file", CutOff(CUT), times=first(2))],
        disk=NOTHING,
        out=FILE,
    ),
    Scenario(
        name="to standard output, broken off, and Range is ignored",
        options=["--output", "-"],
        endpoint={"ranges": False},
        faults=[Fault("file", CutOff(CUT), times=first(2))],
        disk=NOTHING,
        out=FILE,
    ),
    Scenario(
        name="to standard output, with wrong bytes",
        options=["--output", "-"],
        faults=[Fault("file", OtherBytes(lambda file: file[:-1] + b"X"), times=ALWAYS)],
        status=1,
        says=["not the one that the server announced", TAKE_UP],
        disk=NOTHING,
        out=FILE[:-1] + b"X",
    ),
    Scenario(
        name="a part of another job is not used",
        before={PART: b"id,email\n9", LABEL: b'{"exportId": "x"}'},
        calls={"file": 1},
    ),
    Scenario(
        name="a part without a label is not used",
        before={PART: b"id,email\n9"},
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_scenario(scenario: Scenario, tmp_path: Path) -> None:
    play(scenario, tmp_path)
