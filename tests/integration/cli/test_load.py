"""`outhaul load`: what it exits with, what it says and where, and what it leaves."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
from tests.support.paths import REAL_EXPORTS, needs_real_exports
from typer.testing import CliRunner, Result

from outhaul.catalog.entries import AssetType
from outhaul.catalog.store import Catalog
from outhaul.cli import app
from outhaul.database.engine import Database
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import ACTIVITIES, LEADS, LIST_MEMBERS, Table
from outhaul.settings import Settings

Write = Callable[[str, str | bytes], Path]
Run = Callable[..., Result]

ACTIVITIES_CSV = (
    "marketoGUID,leadId,activityDate,activityTypeId\n"
    "1,7,2026-01-31T00:00:00Z,1\n"
    "2,7,2026-01-30T00:00:00Z,1\n"
)
OWN_CATALOG = {
    "programs": [{"id": 1, "name": "Fair"}],
    "forms": [{"id": 31, "name": "Contact", "program": "Fair"}],
    "staticLists": [{"id": 1001, "name": "Newsletter"}],
}
TYPES = {
    "requestId": "1",
    "success": True,
    "result": [
        {
            "id": 100_001,
            "name": "Attend Dinner",
            "description": "A person came",
            "primaryAttribute": {"name": "Place", "dataType": "string"},
            "attributes": [{"name": "Course", "dataType": "integer"}],
        }
    ],
}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "somewhere" / "data"


@pytest.fixture
def run(data: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `outhaul load …` on the data folder; no exit is by an exception."""
    for name in [name for name in os.environ if name.startswith("OUTHAUL_")]:
        monkeypatch.delenv(name)

    def run_load(*words: str | Path) -> Result:
        result = CliRunner().invoke(app, ["load", *map(str, words), "--data", str(data)])
        if isinstance(result.exception, Exception):
            raise result.exception
        return result

    return run_load


def output(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


def refusal(result: Result) -> str:
    """Return the message of a command that failed: on standard error, and nowhere else."""
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Traceback" not in result.stderr
    assert "error: " in result.stderr
    return result.stderr


def count(data: Path, table: Table) -> int:
    snapshot = Lake(Settings(data=data).lake_folder / "default").snapshot(table)
    return 0 if snapshot is None else sum(file.records for file in snapshot.files)


@pytest.fixture
def catalog(data: Path) -> Iterator[Callable[[], Catalog]]:
    opened: list[Database] = []

    def open_catalog() -> Catalog:
        opened.append(Database(Settings(data=data).database_url))
        return Catalog(opened[-1], "default")

    yield open_catalog
    for database in opened:
        database.close()


def test_records_are_loaded_and_the_data_folder_is_made(run: Run, write: Write, data: Path) -> None:
    result = run("activities", write("a.csv", ACTIVITIES_CSV))
    assert (result.exit_code, result.stdout) == (0, "")
    assert "a.csv: 2 activities added, 0 changed, 0 unchanged" in result.stderr
    assert count(data, ACTIVITIES) == 2
    assert sorted(path.name for path in data.iterdir()) >= ["lake", "outhaul.db"]


def test_loading_a_file_again_changes_nothing(run: Run, write: Write, data: Path) -> None:
    path = write("a.csv", ACTIVITIES_CSV)
    first, again = (
        output(run("activities", path, "--json")),
        output(run("activities", path, "--json")),
    )
    counts = {
        "path": str(path),
        "records": 2,
        "changed": 0,
        "deleted": 0,
        "merged": 0,
        "inferredFields": {},
    }
    assert first == {"files": [{**counts, "added": 2, "unchanged": 0}]}
    assert again == {"files": [{**counts, "added": 0, "unchanged": 2}]}
    assert count(data, ACTIVITIES) == 2


def test_several_files_of_every_sort_are_loaded(
    run: Run, write: Write, data: Path, tmp_path: Path
) -> None:
    parquet = tmp_path / "4.parquet"
    pa_parquet.write_table(pa.table({"id": [4], "email": ["d"]}), parquet)
    paths = [
        write("1.csv", "id,email\n1,a\n"),
        write("2.tsv", "id\temail\n2\tb\n"),
        write("3.ssv", "id email\n3 c\n"),
        parquet,
        write("5.jsonl", '{"id":5,"email":"e"}\n'),
        write("6.ndjson", '{"id":6,"email":"f"}\n'),
    ]
    found = output(run("leads", *paths, "--json"))
    assert [(entry["path"], entry["added"]) for entry in found["files"]] == [
        (str(path), 1) for path in paths
    ]
    assert count(data, LEADS) == 6


def test_fields_that_were_inferred_are_of_the_catalog(
    run: Run, write: Write, catalog: Callable[[], Catalog]
) -> None:
    path = write("a.csv", "id,shoeSize,hat\n1,43,big\n")
    assert "no field 'shoeSize', 'hat'; --infer-fields would add it" in refusal(run("leads", path))
    (loaded,) = output(run("leads", path, "--infer-fields", "--json"))["files"]
    assert loaded["inferredFields"] == {"shoeSize": "integer", "hat": "string"}
    fields = catalog().lead_fields()
    assert (fields["shoeSize"].data_type, fields["hat"].data_type) == ("integer", "string")
    assert fields["shoeSize"].description["rest"] == {"name": "shoeSize", "readOnly": False}
    assert output(run("leads", path, "--json"))["files"][0]["unchanged"] == 1
    assert "shoeSize: 'x' is not an integer" in refusal(
        run("leads", write("b.csv", "id,shoeSize\n1,x\n"))
    )


def test_records_of_deleted_leads_are_counted(run: Run, write: Write, data: Path) -> None:
    deletion = write("a.csv", ACTIVITIES_CSV.replace("Z,1\n", "Z,37\n", 1))
    path = write("leads.csv", "id,email\n6,a\n7,b\n8,c\n")
    output(run("leads", path, "--json"))
    assert (output(run("activities", deletion, "--json"))["files"][0]["added"]) == 2
    assert count(data, LEADS) == 2
    assert output(run("leads", path, "--json"))["files"] == [
        {
            "path": str(path),
            "records": 3,
            "added": 0,
            "changed": 0,
            "unchanged": 2,
            "deleted": 1,
            "merged": 0,
            "inferredFields": {},
        }
    ]
    told = run("leads", path).stderr
    assert "0 leads added, 0 changed, 2 unchanged, 1 of deleted leads skipped" in told
    assert count(data, LEADS) == 2


def test_list_members_are_loaded_for_lists_of_the_catalog(
    run: Run, write: Write, data: Path
) -> None:
    members = write("members.jsonl", '{"listId":1001,"leadId":7}\n')
    assert "members.jsonl:1: listId: '1001' is not a static list of the catalog" in refusal(
        run("list-members", members)
    )
    output(run("catalog", write("own.json", json.dumps(OWN_CATALOG)), "--json"))
    assert output(run("list-members", members, "--json"))["files"][0]["added"] == 1
    assert count(data, LIST_MEMBERS) == 1


def test_a_catalog_of_our_own_and_of_types(
    run: Run, write: Write, catalog: Callable[[], Catalog]
) -> None:
    own, types = write("own.json", json.dumps(OWN_CATALOG)), write("types.json", json.dumps(TYPES))
    found = output(run("catalog", own, types, "--json"))
    assert found == {
        "files": [
            {"path": str(own), "leadFields": 0, "activityTypes": 0, "assets": 3},
            {"path": str(types), "leadFields": 0, "activityTypes": 1, "assets": 0},
        ]
    }
    known = catalog()
    assert known.activity_types()[100_001].name == "Attend Dinner"
    assert [entry.qualified_name for entry in known.assets(AssetType.FORM)] == ["Fair.Contact"]
    again = run("catalog", own, types)
    assert (again.exit_code, again.stdout) == (0, "")
    assert "own.json: 3 entries of the catalog" in again.stderr


def test_records_of_a_type_that_was_loaded_are_taken(run: Run, write: Write) -> None:
    path = write("a.csv", ACTIVITIES_CSV.replace("Z,1\n", "Z,100001\n"))
    assert "activityTypeId: '100001' is not an activity type of the catalog" in refusal(
        run("activities", path)
    )
    output(run("catalog", write("types.json", json.dumps(TYPES)), "--json"))
    assert output(run("activities", path, "--json"))["files"][0]["added"] == 2


@needs_real_exports
def test_a_describe_answer_of_a_live_instance(run: Run, catalog: Callable[[], Catalog]) -> None:
    path = REAL_EXPORTS / "lead_describe.json"
    described = json.loads(path.read_text("utf-8"))["result"]
    (loaded,) = output(run("catalog", path, "--json"))["files"]
    assert loaded["leadFields"] == len([entry for entry in described if "rest" in entry])
    assert catalog().lead_fields()["mKtestboolean"].data_type == "boolean"


@needs_real_exports
@pytest.mark.parametrize(
    ("what", "name", "records"),
    [
        ("leads", "leads-2020.csv", 100),
        ("leads", "lead_extract1.csv", 10),
        ("activities", "activities-2020.csv", 831),
        ("activities", "activity_extract1.csv", 34),
    ],
)
def test_files_of_a_live_instance(what: str, name: str, records: int, run: Run) -> None:
    words = ["--infer-fields"] if what == "leads" else []
    (first,) = output(run(what, REAL_EXPORTS / name, "--json", *words))["files"]
    (again,) = output(run(what, REAL_EXPORTS / name, "--json", *words))["files"]
    assert (first["added"], again["unchanged"]) == (records, records)


@pytest.mark.parametrize(
    ("what", "name", "content", "message"),
    [
        ("leads", "a.csv", "", ":1: there is no header line"),
        ("leads", "a.csv", "id,id\n1,2\n", ":1: column 'id' is there twice"),
        ("leads", "a.csv", "id,x\n1,2\n", ":1: the catalog has no field 'x'"),
        ("leads", "a.csv", "email\na\n", ":2: id: missing"),
        ("leads", "a.csv", "id\n0\n", ":2: id: '0' is not a positive integer"),
        ("leads", "a.csv", "id,email\n1,\n2\n", ":3: 1 cells, where the header has 2"),
        ("leads", "a.csv", b"id,email\n1,\xff\n", ":2: not UTF-8"),
        ("leads", "a.csv", 'id,email\n1,"a\n', ":2: a quote that is never closed"),
        ("leads", "a.jsonl", '{"id":1}\n{"id"\n', ":2: not a JSON object"),
        ("leads", "a.jsonl", '{"id":1}\n[]\n', ":2: not a JSON object"),
        ("leads", "a.jsonl", '{"id":1,"email":"\\ud800"}\n', ":1: a text holds half a surrogate"),
        ("leads", "a.parquet", "id\n1\n", ": not a Parquet file"),
        ("leads", "a.xls", "", ": cannot tell what it is: its name ends in none of .csv,"),
        (
            "activities",
            "a.csv",
            ACTIVITIES_CSV + "3,7,x,1\n",
            ":4: activityDate: 'x' is not a date",
        ),
        ("activities", "a.csv", "day\n1\n", ":1: activities have no column 'day'; they have mark"),
        ("list-members", "a.csv", "listId,leadId\n5,5\n", ":2: listId: '5' is not a static list"),
    ],
)
def test_a_file_that_does_not_fit_is_told_by_line_and_reason(  # noqa: PLR0913, PLR0917 - a case and three fixtures
    what: str, name: str, content: str | bytes, message: str, run: Run, write: Write, data: Path
) -> None:
    path = write(name, content)
    told = refusal(run(what, path))
    assert f"nothing of {path} was loaded" in told
    assert f"{path}{message}" in told
    assert [count(data, table) for table in (LEADS, ACTIVITIES, LIST_MEMBERS)] == [0, 0, 0]


def test_a_file_must_be_there(run: Run, tmp_path: Path) -> None:
    told = refusal(run("leads", tmp_path / "missing.csv", "--json"))
    assert f"{tmp_path / 'missing.csv'}: no such file" in told


def test_files_before_one_that_does_not_fit_stay_loaded(run: Run, write: Write, data: Path) -> None:
    good, bad, after = (
        write("1.csv", "id\n1\n"),
        write("2.csv", "id\nx\n"),
        write("3.csv", "id\n3\n"),
    )
    told = refusal(run("leads", good, bad, after, "--json"))
    assert f"nothing of {bad} was loaded; files loaded before it: 1; files not tried: 1" in told
    assert f"{bad}:2: id: 'x' is not an integer" in told
    assert count(data, LEADS) == 1


def test_many_problems_are_listed_in_part(run: Run, write: Write) -> None:
    path = write("a.csv", "id\n" + "x\n" * 25)
    told = refusal(run("leads", path)).split()
    assert sum(word.startswith(f"{path}:") for word in told) == 21
    assert told[-4:] == [f"{path}:", "and", "5", "more"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "Expecting property name"),
        ("[]", "a catalog file is a JSON object"),
        ("{}", "found nothing"),
        ('{"people": []}', "found people"),
        ('{"forms": [{"id": "x", "name": "a"}]}', "forms[0].id: expected an integer"),
        ('{"staticLists": {}}', "staticLists: expected an array"),
        ('{"result": [{"id": 1}]}', "result[0].name: expected a text"),
    ],
)
def test_a_catalog_that_does_not_fit_is_told(
    content: str, message: str, run: Run, write: Write, catalog: Callable[[], Catalog]
) -> None:
    good, bad = write("own.json", json.dumps(OWN_CATALOG)), write("bad.json", content)
    told = refusal(run("catalog", good, bad))
    assert f"nothing of {bad} was loaded: " in told
    assert message in told
    output(run("catalog", write("types.json", json.dumps(TYPES)), "--json"))
    assert list(catalog().assets(AssetType.FORM)) == []


def test_a_smart_list_whose_rules_do_not_fit_is_told(
    run: Run, write: Write, catalog: Callable[[], Catalog]
) -> None:
    rules = {"all": [{"list": "Newest", "operator": "member"}]}
    smart = {"smartLists": [{"id": 1, "name": "Smart", "rules": rules}]}
    bad = write("smart.json", json.dumps(smart))
    told = refusal(run("catalog", bad))
    assert f"nothing of {bad} was loaded: smartLists[0].rules.all[0].list: there is no" in told
    assert list(catalog().assets(AssetType.SMART_LIST)) == []
    lists = {"staticLists": [{"id": 1, "name": "Newest"}]}
    output(run("catalog", write("lists.json", json.dumps(lists)), bad, "--json"))
    assert [entry.name for entry in catalog().assets(AssetType.SMART_LIST)] == ["Smart"]


def test_a_catalog_must_be_there(run: Run, tmp_path: Path) -> None:
    assert str(tmp_path / "missing.json") in refusal(run("catalog", tmp_path / "missing.json"))


@pytest.mark.parametrize(
    "words",
    [
        ["leads"],
        ["nonsense", "a.csv"],
        ["leads", "a.csv", "--nonsense"],
        ["activities", "a.csv", "--infer-fields"],
    ],
)
def test_wrong_usage_exits_with_2(words: list[str], run: Run) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: " in result.stderr


def test_the_data_folder_must_be_named_and_be_a_folder(write: Write) -> None:
    path = write("a.csv", "id\n1\n")
    for words, status in (
        (["leads", str(path)], 1),
        (["leads", str(path), "--data", str(path)], 2),
    ):
        result = CliRunner(env={"OUTHAUL_DATA": None}).invoke(app, ["load", *words])
        assert (result.exit_code, result.stdout) == (status, "")
        assert "--data" in result.stderr


def test_the_data_folder_may_come_from_the_environment(write: Write, data: Path) -> None:
    path = write("a.csv", "id\n1\n")
    result = CliRunner(env={"OUTHAUL_DATA": str(data)}).invoke(app, ["load", "leads", str(path)])
    assert result.exit_code == 0
    assert count(data, LEADS) == 1


def test_the_command_itself(write: Write, data: Path) -> None:
    good, bad = write("1.csv", "id\n1\n"), write("2.csv", "id\nx\n")
    command = [sys.executable, "-m", "outhaul", "load", "leads", "--json", "--data", str(data)]
    loaded = subprocess.run([*command, good], capture_output=True, text=True, check=False)
    refused = subprocess.run([*command, bad], capture_output=True, text=True, check=False)
    assert loaded.returncode == 0
    assert json.loads(loaded.stdout)["files"][0]["added"] == 1
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"{bad}:2: id: 'x' is not an integer" in refused.stderr
    assert "Traceback" not in refused.stderr


# These hold once src/outhaul/cli does its part; the marks are to go with that.


@pytest.mark.parametrize("content", [b"\xff", b"[" * 100_000])
def test_a_catalog_that_is_no_text_or_too_deep_is_told(
    content: bytes, run: Run, write: Write
) -> None:
    path = write("bad.json", content)
    assert f"nothing of {path} was loaded: " in refusal(run("catalog", path))


def test_a_data_folder_that_cannot_be_made_is_told(write: Write) -> None:
    path = write("a.csv", "id\n1\n")
    result = CliRunner().invoke(app, ["load", "leads", str(path), "--data", f"{path}/data"])
    assert isinstance(result.exception, SystemExit)
    assert "Not a directory" in refusal(result)


def test_names_of_files_are_shown_as_they_are(run: Run, write: Write) -> None:
    path = write("a[red].csv", "id\n1\n")
    assert str(path) in run("leads", path).stderr


def test_values_are_shown_as_they_are(run: Run, write: Write) -> None:
    told = refusal(run("leads", write("a.csv", "id\n\\[x]:smile:\n")))
    assert f"id: {chr(39)}\\\\[x]:smile:{chr(39)} is not an integer" in told


def test_fields_of_leads_in_a_file_of_members_are_left_out_and_named(
    run: Run, write: Write, catalog: Callable[[], Catalog]
) -> None:
    path = write("a.csv", "programId,leadId,email,company\n1,7,a@example.com,A\n")
    result = run("program-members", path, "--infer-fields")
    assert result.exit_code == 0
    assert f"{path}: 1 program members added, 0 changed, 0 unchanged\n" in result.stderr
    assert f"{path}: not loaded, as they are fields of leads: email, company\n" in result.stderr
    (again,) = output(run("program-members", path, "--json"))["files"]
    assert (again["unchanged"], again["leftOut"]) == (1, ["email", "company"])
    assert "email" not in catalog().member_fields()
