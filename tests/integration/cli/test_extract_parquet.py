"""`outhaul extract --output-format parquet` against a served outhaul."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pa_parquet
import pytest
from tests.support.processes import Server, environment, prepare, serve
from tests.support.records import ACTIVITIES, LEAD_FIELDS, LEADS, write_records
from typer.testing import CliRunner, Result

from outhaul.cli import app
from outhaul.client import Means, Pace, Session, extract_batches

ALL = "2026-01-01T00:00:00Z/2026-01-31T23:59:59Z"
LEADS_OF_JANUARY = ("leads", "--created-at", ALL, "--fields", ",".join(LEAD_FIELDS))
SPREAD = ("--attributes", "spread")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    files, data = tmp_path_factory.mktemp("files"), tmp_path_factory.mktemp("data")
    write_records(files)
    members = "programId,leadId,statusName,isExhausted\n1001,1,Member,true\n1001,4,Invited,false\n"
    (files / "program.csv").write_text(members)
    prepare("load", "catalog", files / "catalog.json", "--data", data)
    prepare("load", "leads", files / "leads.csv", "--data", data)
    prepare("load", "activities", files / "activities.csv", "--data", data)
    prepare("load", "program-members", files / "program.csv", "--data", data)
    with serve(data) as running:
        yield running


def extract(server: Server, *words: object, status: int = 0) -> Result:
    variables = environment(
        OUTHAUL_URL=server.url,
        OUTHAUL_CLIENT_ID=server.client_id,
        OUTHAUL_CLIENT_SECRET=server.client_secret,
        OUTHAUL_OUTPUT_FORMAT="parquet",
    )
    done = CliRunner().invoke(app, ["extract", *map(str, words)], env=variables)
    assert done.exit_code == status, done.output
    return done


def records(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pa_parquet.read_table(path).to_pylist()
    return found


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("wire", ["CSV", "JSONL.GZ"])
def test_columns_have_the_types_that_the_endpoint_describes(
    server: Server, tmp_path: Path, wire: str
) -> None:
    target = tmp_path / "leads.parquet"
    told = extract(server, *LEADS_OF_JANUARY, "--format", wire, "--output", target, "--json")
    assert json.loads(told.stdout)["records"] == 3
    found = records(target)
    assert found[0] == {
        "id": 1,
        "firstName": "Ada",
        "lastName": "Lovelace",
        "email": "ada@example.com",
        "company": "Engines, Analytical",
        "unsubscribed": False,
        "numberOfEmployees": 12,
        "annualRevenue": 1234.5,
        "dateOfBirth": date(1815, 12, 10),
        "leadSource": None,
        "createdAt": datetime(2026, 1, 1, tzinfo=UTC),
        "updatedAt": datetime(2026, 1, 5, 8, tzinfo=UTC),
    }
    assert (found[2]["firstName"], found[2]["lastName"], found[2]["email"]) == (None, "null", "")
    assert found[2]["leadSource"] == "carriage\r\nreturn"
    assert names(tmp_path) == ["leads.parquet"]


def test_renamed_columns_keep_their_types(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "leads.parquet"
    extract(server, *LEADS_OF_JANUARY, "--header", "id=Lead Id", "--output", target)
    assert [record["Lead Id"] for record in records(target)] == [1, 2, 3]


def test_booleans_of_members(server: Server, tmp_path: Path) -> None:
    """Exports of members write 1 and 0 for them."""
    target = tmp_path / "members.parquet"
    fields = ("--fields", "leadId,isExhausted,email")
    extract(server, "program-members", "--program-ids", 1001, *fields, "--output", target)
    assert [record["isExhausted"] for record in records(target)] == [True, False]
    assert pa_parquet.read_schema(target).field("isExhausted").type == "bool"


def test_no_records(server: Server, tmp_path: Path) -> None:
    never = ("--created-at", "2020-01-01T00:00:00Z/2020-01-02T00:00:00Z")
    extract(server, "activities", *never, "--output", tmp_path / "none.parquet")
    schema = pa_parquet.read_schema(tmp_path / "none.parquet")
    assert str(schema.field("activityDate").type) == "timestamp[us, tz=UTC]"
    extract(server, "activities", *never, *SPREAD, "--output", tmp_path / "none")
    assert names(tmp_path) == ["none", "none.parquet"]


def test_attributes_are_spread_by_type(server: Server, tmp_path: Path) -> None:
    """Twice, because the second run replaces what the first one has written."""
    for _ in range(2):
        extract(server, "activities", "--created-at", ALL, *SPREAD, "--output", tmp_path / "out")
    assert names(tmp_path / "out") == [
        "1-visit-webpage.parquet",
        "104-change-status-in-progression.parquet",
        "13-change-data-value.parquet",
        "2-fill-out-form.parquet",
        "22-change-score.parquet",
        "24-add-to-list.parquet",
    ]
    (visit,) = records(tmp_path / "out" / "1-visit-webpage.parquet")
    assert json.loads(visit["otherAttributes"]) == {"Webpage ID": 7, "Query": 'a=1,b="2"'}
    (value,) = records(tmp_path / "out" / "13-change-data-value.parquet")
    assert value["New Value"] == "two\nlines"
    assert value["Old Value"] is None
    assert "attributes" not in value
    assert sum(len(records(path)) for path in (tmp_path / "out").iterdir()) == len(ACTIVITIES) - 1
    assert names(tmp_path)[0] == "out"


def test_a_job_that_is_taken_up(server: Server, tmp_path: Path) -> None:
    """Its format is its own, whatever the options say."""
    first = extract(
        *(server, *LEADS_OF_JANUARY, "--format", "TSV", "--output", tmp_path / "a.parquet"),
        "--json",
    )
    job = json.loads(first.stdout)["exportId"]
    extract(server, "leads", "--export-id", job, "--output", tmp_path / "b.parquet")
    assert records(tmp_path / "a.parquet") == records(tmp_path / "b.parquet")


def test_a_value_of_another_type(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file stays as it came, so that no quota is spent on it once more."""
    monkeypatch.setattr(
        "outhaul.cli.extract.parquet.field_types",
        lambda *_: {"id": "integer", "lastName": "integer"},
    )
    words = ("leads", "--created-at", ALL, "--fields", "id,lastName")
    target = tmp_path / "leads.parquet"
    done = extract(server, *words, "--output", target, status=1)
    assert re.search(
        r"lastName: 'Lovelace' is not an integer \(line 2 of .*\.part\.csv", done.stderr
    )
    assert "--misfits text" in done.stderr
    assert "--export-id" in done.stderr
    assert names(tmp_path) == ["leads.parquet.part.csv"]
    done = extract(server, *words, "--output", target, "--misfits", "text")
    assert "lastName becomes text" in done.stderr
    assert [record["lastName"] for record in records(target)] == ["Lovelace", "Hopper", "null"]
    assert names(tmp_path) == ["leads.parquet"]


def test_a_period_of_several_windows(server: Server, tmp_path: Path) -> None:
    year = ("--created-at", "2026-01-01/2026-11-01")
    target = tmp_path / "leads.parquet"
    extract(server, "leads", *year, "--fields", "email,id", "--output", target)
    assert [record["id"] for record in records(target)] == sorted(LEADS)
    extract(server, "activities", *year, *SPREAD, "--output", f"{tmp_path}/out/")
    assert len(records(tmp_path / "out" / "1-visit-webpage.parquet")) == 2
    assert {name.partition("/")[0] for name in names(tmp_path)} == {"leads.parquet", "out"}


def test_batches_of_several_windows(server: Server) -> None:
    """The key of the records, which orders them, is there only if it was asked for."""
    with Session(server.url, server.client_id, server.client_secret) as session:
        found = extract_batches(
            session,
            "leads",
            {"fields": ["createdAt"]},
            period="2026-01-01/2026-11-01",
            means=Means(pace=Pace(poll_seconds=0.1)),
        )
        rows = [row for batch in found for row in batch.to_pylist()]
    assert [*rows[0]] == ["createdAt"]
    assert [row["createdAt"].month for row in rows] == [1, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((*LEADS_OF_JANUARY, "--output", "-"), "written to a file"),
        ((*LEADS_OF_JANUARY, "--output", "/dev/stdout"), "written to a file"),
        ((*LEADS_OF_JANUARY, "--output", "{folder}"), "is a folder"),
        ((*LEADS_OF_JANUARY, "--output", "/dev/null"), "no regular file"),
        ((*LEADS_OF_JANUARY, "--output", "{folder}/{{window}}"), "written to one file"),
        (
            ("activities", "--created-at", ALL, *SPREAD, "--output", "{folder}"),
            "holds 'other.txt'",
        ),
        (
            ("activities", "--created-at", ALL, *SPREAD, "--output", "{folder}/other.txt"),
            "is no folder",
        ),
        (
            ("activities", "--fields", "leadId", "--created-at", ALL, *SPREAD, "--output", "x"),
            "it needs activityTypeId and attributes",
        ),
    ],
)
def test_outputs_and_options_that_are_refused(
    server: Server, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    (tmp_path / "other.txt").touch()
    done = extract(server, *(word.format(folder=tmp_path) for word in words), status=2)
    assert message in " ".join(done.output.split())
    assert names(tmp_path) == ["other.txt"]


def test_options_that_need_parquet(tmp_path: Path) -> None:
    output = ("--output", tmp_path / "x.csv")
    for words in (("activities", *SPREAD), ("leads", "--misfits", "text")):
        variables = environment(
            OUTHAUL_URL="http://h", OUTHAUL_CLIENT_ID="i", OUTHAUL_CLIENT_SECRET="s"
        )
        done = CliRunner().invoke(
            app,
            ["extract", *words, "--created-at", ALL, "--fields", "id", *map(str, output)],
            env=variables,
        )
        assert done.exit_code == 2
        assert "only --output-format parquet" in " ".join(done.output.split())
