"""What a file is held against: its size, its sum in any spelling, its number of records."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.extracting import NOTHING, Scenario, play
from tests.support.misbehaving import ALWAYS, FILE, GONE, Fault, Html, OtherBytes, Script, lines

HEX = hashlib.sha256(FILE).hexdigest()
TAKE_UP = r"--export-id 00000001-"

SPELLINGS = [
    f"sha256:{HEX}",
    f"SHA256:{HEX}",
    f"Sha-256:{HEX.upper()}",
    f"sha256: {HEX}",
    f" sha256:{HEX} ",
    f"sha256={HEX}",
    HEX,
    HEX.upper(),
]
"""Sums that are read, in whatever spelling."""

UNKNOWN = [
    f"md5:{hashlib.md5(FILE, usedforsecurity=False).hexdigest()}",
    hashlib.md5(FILE, usedforsecurity=False).hexdigest(),
    "crc32:deadbeef",
    "sha256:",
    "sha256:abc",
    "x",
    "",
    None,
    GONE,
]
"""Sums that nothing can be held against."""


def _shorter(file: bytes) -> bytes:
    return file[: file.rindex(b"\n", 0, -1) + 1]


def _scenarios() -> Iterator[Scenario]:
    for spelling in SPELLINGS:
        announced = {"fileChecksum": spelling}
        yield Scenario(
            name=f"right, spelled {spelling[:12]!r}",
            script=Script(announced=announced),
            never_says=["not checked"],
        )
        yield Scenario(
            name=f"wrong, spelled {spelling[:12]!r}",
            script=Script(announced=announced),
            faults=[Fault("file", OtherBytes(lambda file: b"X" + file[1:]), times=ALWAYS)],
            status=1,
            says=["not the one that the server announced", TAKE_UP],
            disk=NOTHING,
        )
    for unknown in UNKNOWN:
        yield Scenario(
            name=f"not checked: {str(unknown)[:12]!r}",
            script=Script(announced={"fileChecksum": unknown}),
            says=["not checked|no checksum"],
        )


NO_SUM = {"fileChecksum": GONE}
NOTHING_KNOWN = {"fileChecksum": GONE, "fileSize": GONE}

SCENARIOS = [
    *_scenarios(),
    Scenario(
        name="no sum, no size, and the right number of records",
        script=Script(announced=NOTHING_KNOWN),
        says=["not checked|no checksum"],
    ),
    Scenario(
        name="no sum, no size, and a record too few",
        script=Script(announced=NOTHING_KNOWN),
        faults=[Fault("file", OtherBytes(_shorter), times=ALWAYS)],
        status=1,
        says=["999", "1,?000", TAKE_UP],
        disk=NOTHING,
    ),
    Scenario(
        name="no sum, no size, and a record too many",
        script=Script(announced=NOTHING_KNOWN),
        faults=[Fault("file", OtherBytes(lambda file: file + b"1,x\n"), times=ALWAYS)],
        status=1,
        says=["1,?001", TAKE_UP],
        disk=NOTHING,
    ),
    Scenario(
        name="no sum, no size, and HTML",
        script=Script(announced=NOTHING_KNOWN),
        faults=[Fault("file", Html(), times=ALWAYS)],
        status=1,
        says=[TAKE_UP],
        disk=NOTHING,
    ),
    Scenario(
        name="no sum, no size, no number of records",
        script=Script(announced=NOTHING_KNOWN | {"numberOfRecords": GONE}),
        says=["not checked|no checksum"],
    ),
    Scenario(
        name="no sum, and a size that is wrong",
        script=Script(announced=NO_SUM | {"fileSize": 5}),
        status=1,
        says=["5", TAKE_UP],
        disk=NOTHING,
    ),
    Scenario(
        name="line breaks in a cell count once",
        script=Script(
            file=b'id,email\n1,"a\nb\r\nc"\n2,"""\n"\n',
            announced=NOTHING_KNOWN | {"numberOfRecords": 2},
        ),
        disk={"leads.csv": b'id,email\n1,"a\nb\r\nc"\n2,"""\n"\n'},
    ),
    Scenario(
        name="a last line without its end",
        script=Script(file=b"id,email\n1,a\n2,b", announced=NOTHING_KNOWN | {"numberOfRecords": 2}),
        disk={"leads.csv": b"id,email\n1,a\n2,b"},
    ),
    Scenario(
        name="no records",
        script=Script(file=lines(0), announced=NOTHING_KNOWN),
        disk={"leads.csv": lines(0)},
    ),
    Scenario(
        name="a size below zero",
        script=Script(announced={"fileSize": -1}),
    ),
    Scenario(
        name="a size as text",
        script=Script(announced={"fileSize": str(len(FILE))}),
    ),
    Scenario(
        name="a number of records that is wrong beside a sum that is right",
        script=Script(announced={"numberOfRecords": 7}),
        never_says=["not checked"],
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_scenario(scenario: Scenario, tmp_path: Path) -> None:
    play(scenario, tmp_path)
