"""Files that live instances exported, loaded and exported again: the same rows, byte for byte."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from tests.support.answers import check
from tests.support.paths import REAL_EXPORTS, needs_real_exports
from tests.support.plainly import Plain
from tests.support.processes import Server, outhaul, serve
from tests.support.recorder import recorded
from tests.support.schemas import Contract

# The fields of time by which one window fetches all of a file.
LEADS = {
    "lead_extract1.csv": "createdAt",
    "leads_extract2.csv": "createdAt",
    "leads-2020.csv": "updatedAt",
}
ACTIVITIES = {
    "activity_extract1.csv": "activityDate",
    "activity_extract2.csv": "activityDate",
    "activities-2020.csv": "activityDate",
}
# Those that share a data folder do not overlap in time.
FOLDERS = [
    (
        ["lead_extract1.csv", "leads-2020.csv"],
        ["activity_extract1.csv", "activities-2020.csv"],
    ),
    (["leads_extract2.csv"], ["activity_extract2.csv"]),
]

pytestmark = needs_real_exports


class RealFile:
    """A file as it came, and what an export of the same records must be."""

    def __init__(self, name: str) -> None:
        self.path = REAL_EXPORTS / name
        self.content = self.path.read_bytes()
        self.kind = "leads" if name in LEADS else "activities"
        time = LEADS[name] if name in LEADS else ACTIVITIES[name]
        self.filter = time if name in LEADS else "createdAt"
        header, *lines = self.content.removesuffix(b"\n").split(b"\n")
        self.fields = header.decode().split(",")
        rows = list(csv.DictReader(line.decode() for line in (header, *lines)))
        assert len(rows) == len(lines), "a cell has a line break"
        self.rows = len(rows)
        self.first, self.last = min(row[time] for row in rows), max(row[time] for row in rows)
        ordered = sorted(zip(rows, lines, strict=True), key=lambda pair: self._key(pair[0]))
        self.exported = b"".join(line + b"\n" for line in (header, *(line for _, line in ordered)))

    def _key(self, row: Mapping[str, str]) -> tuple[int | str, ...]:
        """Return the place of a record in an export."""
        if self.kind == "leads":
            return (int(row["id"]),)
        return row["activityDate"], row["marketoGUID"]


@pytest.mark.parametrize(("leads", "activities"), FOLDERS, ids=["1 and 2020", "2"])
def test_what_was_exported_is_exported_again(
    leads: list[str], activities: list[str], tmp_path: Path, contract: Contract | None
) -> None:
    data = tmp_path / "data"
    files = [RealFile(name) for name in (*leads, *activities)]
    _load_twice("leads", files[: len(leads)], data, "--infer-fields")
    _load_twice("activities", files[len(leads) :], data)
    with serve(data) as server, recorded(server.url) as recorder:
        plain = Plain(recorder.url, server.client_id, server.client_secret)
        for file in files:
            target = tmp_path / file.path.name
            _extract(server, recorder.url, file, target)
            assert target.read_bytes() == file.exported
            _extract_plainly(plain, file)
    for call in recorder.calls:
        check(call, contract)


@pytest.mark.parametrize("name", ACTIVITIES)
def test_activities_came_in_the_order_of_our_exports(name: str) -> None:
    file = RealFile(name)
    assert file.exported == file.content.removesuffix(b"\n") + b"\n"


def test_activities_of_2020_came_as_a_whole_file() -> None:
    file = RealFile("activities-2020.csv")
    assert "actionResult" in file.fields
    assert file.exported == file.content


def test_program_members_come_out_as_they_went_in(
    tmp_path: Path, contract: Contract | None
) -> None:
    path, target = REAL_EXPORTS / "program_members_extract.csv", tmp_path / "members.csv"
    header, *lines = path.read_text("utf-8").splitlines()
    data = tmp_path / "data"
    outhaul("load", "program-members", path, path, "--data", data, "--infer-fields")
    with serve(data) as server, recorded(server.url) as recorder:
        outhaul(
            *("extract", "program-members", "--url", recorder.url, "--output", target),
            *("--client-id", server.client_id, "--client-secret", server.client_secret),
            *("--fields", header, "--program-ids", "1001"),
        )
    for call in recorder.calls:
        check(call, contract)
    assert target.read_text("utf-8").splitlines() == [header, *lines]


def _load_twice(kind: str, files: Sequence[RealFile], data: Path, *options: str) -> None:
    paths = [file.path for file in files]
    loaded = outhaul("load", kind, *paths, *paths, "--data", data, "--json", *options)
    answers = json.loads(loaded.out)["files"]
    counts = ("records", "added", "changed", "unchanged")
    found = [[answer[count] for count in counts] for answer in answers]
    assert found[: len(files)] == [[file.rows, file.rows, 0, 0] for file in files]
    assert found[len(files) :] == [[file.rows, 0, 0, file.rows] for file in files]
    assert not any(answer["inferredFields"] for answer in answers[len(files) :])


def _extract(server: Server, url: str, file: RealFile, target: Path) -> None:
    option = {"createdAt": "--created-at", "updatedAt": "--updated-at"}[file.filter]
    outhaul(
        *("extract", file.kind, "--url", url, "--output", target),
        *("--client-id", server.client_id, "--client-secret", server.client_secret),
        *("--fields", ",".join(file.fields), option, f"{file.first}/{file.last}"),
    )


def _extract_plainly(plain: Plain, file: RealFile) -> None:
    window = {"startAt": file.first, "endAt": file.last}
    export_id = plain.export(file.kind, {"fields": file.fields, "filter": {file.filter: window}})
    assert plain.file(file.kind, export_id) == file.exported
    spans = ("bytes=0-0", "bytes=1-99", "bytes=100-")
    pieces = [plain.file(file.kind, export_id, span) for span in spans]
    assert [len(piece) for piece in pieces[:2]] == [1, 99]
    assert b"".join(pieces) == file.exported
