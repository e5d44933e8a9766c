import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import polars as pl
import pytest
from tests.support.loads import load_activities, load_leads, load_list_members

from outhaul.catalog.store import Catalog
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import ACTIVITIES, LEADS, Table
from outhaul.loading import loads
from outhaul.loading.loads import PROBLEMS_SHOWN, Loaded
from outhaul.loading.staging import staging_folder
from outhaul.records.readers import FileError, json_lines

Write = Callable[[str, str], Path]

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)
ACTIVITY_HEADER = "marketoGUID,leadId,activityDate,activityTypeId,attributes\n"
GOOD = ACTIVITY_HEADER + "1,7,2026-01-31T00:00:00Z,1,{}\n2,7,2026-01-30T00:00:00Z,1,null\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(name: str, content: str) -> Path:
        path = tmp_path / name
        path.write_text(content, "utf-8", newline="")
        return path

    return write_file


def no_report(_: float) -> None:
    return None


def activities(lake: Lake, catalog: Catalog, path: Path) -> Loaded:
    return load_activities(lake, catalog, path, MOMENT, no_report)


def leads(lake: Lake, catalog: Catalog, path: Path, *, infer: bool = False) -> Loaded:
    return load_leads(lake, catalog, path, MOMENT, no_report, infer=infer)


def records(lake: Lake, table: Table) -> list[dict[str, Any]]:
    snapshot = lake.snapshot(table)
    if snapshot is None or not snapshot.files:
        return []
    return snapshot.scan(snapshot.files).sort(table.order).collect().to_dicts()


def staged(lake: Lake) -> list[Path]:
    return list(lake.folder.glob(".staging-*"))


def problems(caught: pytest.ExceptionInfo[FileError], path: Path) -> list[str]:
    return [line.removeprefix(str(path)) for line in str(caught.value).splitlines()]


def test_a_file_is_loaded(lake: Lake, catalog: Catalog, write: Write) -> None:
    path = write("a.csv", GOOD)
    shares: list[float] = []
    loaded = load_activities(lake, catalog, path, MOMENT, shares.append)
    assert (loaded.path, loaded.merged.added, dict(loaded.inferred)) == (path, 2, {})
    assert shares[-1] == 1
    assert [(row["marketoGUID"], row["attributes"]) for row in records(lake, ACTIVITIES)] == [
        ("2", None),
        ("1", "{}"),
    ]
    assert staged(lake) == []


def test_problems_are_told_by_line_and_reason_and_nothing_is_kept(
    lake: Lake, catalog: Catalog, write: Write
) -> None:
    activities(lake, catalog, write("good.csv", GOOD))
    before = lake.snapshot(ACTIVITIES)
    path = write(
        "a.csv",
        ACTIVITY_HEADER
        + '3,7,2026-01-31T00:00:00Z,1,"{""a"":\n\n1}"\n'
        + "4,0,2026-01-32T00:00:00Z,1,{}\n"
        + "null,7,2026-01-31T00:00:00Z,999999,[1]\n"
        + "5,7,2026-01-31T00:00:00Z,1,{}\n",
    )
    with pytest.raises(FileError) as caught:
        activities(lake, catalog, path)
    assert problems(caught, path) == [
        ":5: activityDate: '2026-01-32T00:00:00Z' is not a datetime such as 2026-01-31T23:59:59Z",
        ":5: leadId: '0' is not a positive integer",
        ":6: activityTypeId: '999999' is not an activity type of the catalog",
        ":6: attributes: '[1]' is not a JSON object",
        ":6: marketoGUID: missing",
    ]
    assert lake.snapshot(ACTIVITIES) == before
    assert staged(lake) == []


@pytest.mark.parametrize("count", [PROBLEMS_SHOWN, PROBLEMS_SHOWN + 1, 3 * PROBLEMS_SHOWN])
def test_so_many_problems_are_shown_and_the_others_counted(
    count: int,
    lake: Lake,
    catalog: Catalog,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(json_lines, "BATCH_RECORDS", 7)
    path = write("a.jsonl", '{"id":"x"}\n' * count)
    with pytest.raises(FileError) as caught:
        leads(lake, catalog, path)
    found = problems(caught, path)
    assert found[:PROBLEMS_SHOWN] == [
        f":{n}: id: 'x' is not an integer" for n in range(1, PROBLEMS_SHOWN + 1)
    ]
    more = count - PROBLEMS_SHOWN
    assert found[PROBLEMS_SHOWN:] == ([f": and {more} more"] if more else [])
    assert (len(caught.value.problems), caught.value.more) == (PROBLEMS_SHOWN, more)


def test_problems_before_a_broken_line_are_told_too(
    lake: Lake, catalog: Catalog, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_lines, "BATCH_RECORDS", 1)
    path = write("a.jsonl", '{"id":0}\n\n{"id":1}\n[]\n')
    with pytest.raises(FileError) as caught:
        leads(lake, catalog, path)
    invalid, broken = problems(caught, path)
    assert invalid == ":1: id: '0' is not a positive integer"
    assert broken.startswith(":4: not a JSON object: Expected `object`, got `array`")


@pytest.mark.parametrize("content", ["{}\n", '{}\n{"firstName":"Ann"}\n'])
def test_a_record_without_an_id_is_told(
    content: str, lake: Lake, catalog: Catalog, write: Write
) -> None:
    with pytest.raises(FileError, match=r"a\.jsonl:1: id: missing"):
        leads(lake, catalog, write("a.jsonl", content))


def test_a_failing_file_leaves_those_before_it(lake: Lake, catalog: Catalog, write: Write) -> None:
    activities(lake, catalog, write("1.csv", GOOD))
    with pytest.raises(FileError):
        activities(lake, catalog, write("2.csv", ACTIVITY_HEADER + "3,x,2026-01-31,1,{}\n"))
    assert len(records(lake, ACTIVITIES)) == 2


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("id,shoeSize,hat", "the catalog has no field 'shoeSize', 'hat'; --infer-fields would add"),
        ("id,outhaul_changed_at", "the catalog has no field 'outhaul_changed_at'"),
    ],
)
def test_a_lead_field_that_the_catalog_has_not_is_refused(
    header: str, problem: str, lake: Lake, catalog: Catalog, write: Write
) -> None:
    path = write("a.csv", header + "\n1" + ",2" * header.count(",") + "\n")
    with pytest.raises(FileError) as caught:
        leads(lake, catalog, path)
    assert problems(caught, path)[0].startswith(f":1: {problem}")


def test_a_column_that_activities_have_not_is_refused(
    lake: Lake, catalog: Catalog, write: Write
) -> None:
    with pytest.raises(FileError, match=r":1: activities have no column 'day'; they have market"):
        activities(lake, catalog, write("a.csv", "day," + ACTIVITY_HEADER + "1,1,1,1,1,1\n"))


def test_only_members_of_lists_of_the_catalog_are_taken(
    lake: Lake, catalog: Catalog, write: Write
) -> None:
    path = write("a.csv", "listId,leadId\n1,5\n9,5\n")
    with pytest.raises(FileError, match=r":3: listId: '9' is not a static list of the catalog"):
        load_list_members(lake, catalog, path, MOMENT, no_report)
    good = write("b.csv", "leadId,listId\n5,1\n5,1\n")
    assert load_list_members(lake, catalog, good, MOMENT, no_report).merged.added == 1


INFERRED = {
    "shoeSize": pl.Int64(),
    "height": pl.Float64(),
    "tall": pl.Boolean(),
    "born": pl.Date(),
    "seen": pl.Datetime("us", "UTC"),
    "code": pl.String(),
    "none": pl.String(),
}
CSV = (
    f"id,{','.join(INFERRED)}\n"
    "1,43,1.5,true,2001-02-03,2026-01-31T00:00:00Z,007,null\n"
    '2,null,2,null,null,null,"null",null\n'
)


def test_fields_are_inferred_in_the_narrowest_type(
    lake: Lake, catalog: Catalog, write: Write
) -> None:
    path = write("a.csv", CSV)
    assert dict(leads(lake, catalog, path, infer=True).inferred) == INFERRED
    first, second = records(lake, LEADS)
    assert {name: first[name] for name in INFERRED} == {
        "shoeSize": 43,
        "height": 1.5,
        "tall": True,
        "born": datetime(2001, 2, 3, tzinfo=UTC).date(),
        "seen": datetime(2026, 1, 31, tzinfo=UTC),
        "code": "007",
        "none": None,
    }
    assert (second["shoeSize"], second["height"], second["code"]) == (None, 2.0, "null")


def test_a_type_is_inferred_from_all_of_the_file(
    lake: Lake, catalog: Catalog, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_lines, "BATCH_RECORDS", 1)
    path = write(
        "a.jsonl", '{"id":1,"a":1,"b":true}\n{"id":2,"a":1.5,"b":"x"}\n{"id":3,"c":"2026-01-31"}\n'
    )
    inferred = leads(lake, catalog, path, infer=True).inferred
    assert dict(inferred) == {"a": pl.Float64(), "b": pl.String(), "c": pl.Date()}
    rows = [(row["a"], row["b"], str(row["c"])) for row in records(lake, LEADS)]
    assert rows == [(1.0, "true", "None"), (1.5, "x", "None"), (None, None, "2026-01-31")]


def test_parquet_types_are_inferred_as_they_are(
    lake: Lake, catalog: Catalog, tmp_path: Path
) -> None:
    path = tmp_path / "a.parquet"
    moment = datetime(2026, 1, 31, tzinfo=UTC)
    pl.DataFrame({"id": [1], "a": [2.0], "b": [moment], "c": [b"x".decode()]}).write_parquet(path)
    inferred = leads(lake, catalog, path, infer=True).inferred
    assert dict(inferred) == {"a": pl.Float64(), "b": INFERRED["seen"], "c": pl.String()}
    assert records(lake, LEADS)[0]["a"] == 2.0


def test_a_field_gets_the_type_of_a_column_that_the_catalog_does_not_know(
    lake: Lake, catalog: Catalog, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        # Earlier versions stored the entry after the records, or not at all if they were killed.
        patched.setattr(Catalog, "store", lambda *_: None)
        leads(lake, catalog, write("1.csv", "id,shoeSize\n1,43\n"), infer=True)
    assert "shoeSize" not in catalog.lead_fields()
    again = leads(lake, catalog, write("2.csv", "id,shoeSize,hat\n2,44,big\n"), infer=True)
    assert dict(again.inferred) == {"shoeSize": pl.Int64(), "hat": pl.String()}
    assert catalog.lead_fields()["shoeSize"].data_type == "integer"
    with pytest.raises(FileError, match=r":2: shoeSize: 'big' is not an integer"):
        leads(lake, catalog, write("3.csv", "id,shoeSize\n2,big\n"))
    assert [row["shoeSize"] for row in records(lake, LEADS)] == [43, 44]


def test_a_type_that_an_interrupted_load_inferred_binds_no_later_file(
    lake: Lake, catalog: Catalog, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(loads, "merge", cut_off)
        with pytest.raises(KeyboardInterrupt):
            leads(lake, catalog, write("1.csv", "id,shoeSize\n1,43\n"), infer=True)
    assert catalog.lead_fields()["shoeSize"].data_type == "integer"
    leads(lake, catalog, write("2.csv", "id,shoeSize\n2,wide\n"), infer=True)
    assert catalog.lead_fields()["shoeSize"].data_type == "string"
    assert [row["shoeSize"] for row in records(lake, LEADS)] == ["wide"]


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ("outhaul_range", "column 'outhaul_range': names that begin with 'outhaul_' are outhaul's"),
        ("outhaul_changed_at", "column 'outhaul_changed_at': names that begin with 'outhaul_' are"),
        ("ID", "column 'ID' differs from 'id' in case only"),
        ("CreatedAt", "column 'CreatedAt' differs from 'createdAt' in case only"),
        ("hat,HAT", "column 'HAT' differs from 'hat' in case only"),
        ("a\0b", "column 'a\\x00b': a name cannot hold NUL"),
    ],
)
def test_fields_that_a_table_cannot_have_are_not_inferred(
    columns: str, problem: str, lake: Lake, catalog: Catalog, write: Write
) -> None:
    path = write("a.csv", f"id,{columns}\n1" + ",2" * (columns.count(",") + 1) + "\n")
    with pytest.raises(FileError) as caught:
        leads(lake, catalog, path, infer=True)
    assert problems(caught, path)[0].startswith(f":1: {problem}")
    assert lake.snapshot(LEADS) is None


@pytest.mark.parametrize("name", ["a b", "a.b", "é", "a=b", "a;b", "email__old", "x" * 300, "`"])
def test_other_names_of_fields_are_taken(
    name: str, lake: Lake, catalog: Catalog, write: Write
) -> None:
    path = write("a.jsonl", json.dumps({"id": 1, name: "x", "email": "e"}))
    leads(lake, catalog, path, infer=True)
    assert leads(lake, catalog, path, infer=True).merged.unchanged == 1
    assert records(lake, LEADS)[0][name] == "x"


def test_an_empty_table_takes_what_a_file_without_records_has(
    lake: Lake, catalog: Catalog, write: Write
) -> None:
    assert leads(lake, catalog, write("a.csv", "id,email\n")).merged.version is None
    assert records(lake, LEADS) == []


def test_the_folder_of_a_running_load_is_left_alone(lake: Lake) -> None:
    with staging_folder(lake.folder) as first:
        (first / "part").touch()
        with staging_folder(lake.folder) as second:
            assert first != second
        assert staged(lake) == [first]
        assert [path.name for path in first.iterdir()] == ["part"]
    assert staged(lake) == []
