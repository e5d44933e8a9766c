import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples
from tests.support.loads import load_activities, load_leads, load_list_members

from outhaul.catalog.store import Catalog
from outhaul.lake.files import LakeFile
from outhaul.lake.snapshot import Lake, Snapshot
from outhaul.lake.tables import ACTIVITIES, CHANGED_AT, LEADS, LIST_MEMBERS, Table
from outhaul.loading import staging
from outhaul.loading.merge import MANY_FILES, ColumnChangedError, Merged, merge
from outhaul.loading.staging import Staging
from outhaul.records.readers import FileError

Record = dict[str, Any]

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)
NUMBERS = itertools.count()
LOADS: Mapping[str, Callable[..., Any]] = {
    "activities": load_activities,
    "leads": load_leads,
    "list_members": load_list_members,
}
EXAMPLES = examples(15)

TEXTS = st.none() | st.sampled_from(["", "null", "a", "b"])
# Some are on other days, some at the very same moment, some within one second or at its end.
MOMENTS = st.sampled_from(
    [
        "0001-01-01T00:00:00Z",
        "2026-01-30T23:59:59.999999Z",
        "2026-01-31T00:00:00Z",
        "2026-01-31T12:00:00.25Z",
        "2026-01-31T12:00:00.2501Z",
        "2026-02-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
    ]
)
ACTIVITY = st.fixed_dictionaries(
    {
        "marketoGUID": st.sampled_from(["1", "2", "10", "é", "\0"]),
        "leadId": st.integers(1, 3),
        "activityDate": MOMENTS,
        "activityTypeId": st.sampled_from([1, 6, 12]),
    },
    optional={"primaryAttributeValue": TEXTS, "campaignId": st.none() | st.integers(1, 2)},
)
LEAD = st.fixed_dictionaries(
    {"id": st.sampled_from([1, 2, 49_999, 50_000, 50_001, 2**40])},
    optional={
        "firstName": TEXTS,
        "email": TEXTS,
        "createdAt": st.none() | MOMENTS,
        "updatedAt": st.none() | MOMENTS,
    },
)
MEMBER = st.fixed_dictionaries({"listId": st.integers(1, 3), "leadId": st.integers(1, 5)})


def files_of(record: st.SearchStrategy[Record]) -> st.SearchStrategy[list[list[Record]]]:
    return st.lists(st.lists(record, min_size=1, max_size=8), min_size=1, max_size=6)


def load(
    catalog: Catalog, lake: Lake, table: Table, records: Iterable[Record], moment: datetime = MOMENT
) -> Merged:
    path = lake.folder.parent / f"{next(NUMBERS)}.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    merged = LOADS[table.name](lake, catalog, path, moment, lambda _: None).merged
    assert isinstance(merged, Merged)
    return merged


def current(lake: Lake, table: Table) -> Snapshot:
    snapshot = lake.snapshot(table)
    assert snapshot is not None
    return snapshot


def rows_of(snapshot: Snapshot, table: Table, file: LakeFile) -> pl.DataFrame:
    partition = pl.lit(file.partition, dtype=table.partition_type).alias(table.partition)
    return snapshot.scan([file]).collect().with_columns(partition)


def records_of(lake: Lake, table: Table) -> dict[tuple[Any, ...], Record]:
    snapshot = current(lake, table)
    rows = [row for file in snapshot.files for row in rows_of(snapshot, table, file).to_dicts()]
    found = {tuple(row[name] for name in table.key): row for row in rows}
    assert len(found) == len(rows), "a record is there twice"
    return found


def check_files(lake: Lake, table: Table) -> None:
    """Hold every file to what exports rely on: partition, order, statistics."""
    snapshot = current(lake, table)
    statistics = DeltaTable(lake.folder / table.name).get_add_actions(flatten=True)
    counted = dict(
        zip(statistics["path"].to_pylist(), statistics["num_records"].to_pylist(), strict=True)
    )
    assert [file.partition for file in snapshot.files] == sorted(
        file.partition for file in snapshot.files
    )
    for file in snapshot.files:
        rows = rows_of(snapshot, table, file)
        assert rows.height == file.records == counted[file.path] > 0
        assert rows.select(table.partition_value).to_series().unique().to_list() == [file.partition]
        assert rows.equals(rows.sort(table.order, maintain_order=True))
        for name in table.statistics:
            check_bounds(rows[name], *file.bounds[name])


def check_bounds(values: pl.Series, least: Any, greatest: Any) -> None:
    if values.null_count() == len(values):
        assert (least, greatest) == (None, None)
        return
    assert least <= values.min()
    # Delta writes milliseconds, and no year after this one.
    if greatest != datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC):
        assert greatest >= values.max()
    if isinstance(least, datetime):
        assert greatest - least < values.max() - values.min() + timedelta(milliseconds=2)  # type: ignore[operator]


def parse(value: Any) -> Any:
    is_moment = isinstance(value, str) and value[4:5] == "-"
    return datetime.fromisoformat(value) if is_moment else value


def last_of_each(table: Table, records: Sequence[Record]) -> dict[tuple[Any, ...], Record]:
    """Return what a file says: the last record of a key; what a line does not name is null."""
    names = {name for record in records for name in record}
    return {
        tuple(record[name] for name in table.key): {name: parse(record.get(name)) for name in names}
        for record in records
    }


def expect(
    table: Table,
    before: Mapping[tuple[Any, ...], Record],
    records: Sequence[Record],
    complete: Callable[[Record | None, Record], Record],
) -> tuple[dict[tuple[Any, ...], Record], Merged]:
    """Return what a load makes of the records that are there, as a dict would have it."""
    after = dict(before)
    counts = {"added": 0, "changed": 0, "unchanged": 0}
    for key, record in last_of_each(table, records).items():
        old = before.get(key)
        if old is not None and all(old.get(name) == value for name, value in record.items()):
            counts["unchanged"] += 1
            continue
        counts["changed" if old is not None else "added"] += 1
        after[key] = complete(old, record)
    return after, Merged(**counts)


def replace(old: Record | None, new: Record) -> Record:
    return {**(old or {}), **new}


def replace_lead(moment: datetime, old: Record | None, new: Record) -> Record:
    """Replace a lead as `merge` documents it: with the times that the file does not say."""
    stamps = {name: moment for name in ("updatedAt",) if name not in new}
    if old is not None:
        return {**old, **new, **stamps, CHANGED_AT: moment}
    if "createdAt" not in new:
        stamps["createdAt"] = moment
    said = [new[name] for name in ("createdAt", "updatedAt") if new.get(name) is not None]
    return {**new, **stamps, CHANGED_AT: max(said) if said else moment}


def compare_loads(
    catalog: Catalog,
    folder: Path,
    table: Table,
    files: Sequence[Sequence[Record]],
    complete: Callable[[datetime], Callable[[Record | None, Record], Record]],
) -> None:
    lake = Lake(folder / str(next(NUMBERS)) / "lake")
    lake.folder.mkdir(parents=True)
    model: dict[tuple[Any, ...], Record] = {}
    for n, records in enumerate(files):
        moment = MOMENT + timedelta(minutes=n)
        known = lake.snapshot(table)
        model, counts = expect(table, model, records, complete(moment))
        merged = load(catalog, lake, table, records, moment)
        assert (merged.added, merged.changed, merged.unchanged) == (
            counts.added,
            counts.changed,
            counts.unchanged,
        )
        snapshot = current(lake, table)
        if not merged.added and not merged.changed:
            assert merged.version is None
            assert known is not None
            assert known.version == snapshot.version
        else:
            assert merged.version == snapshot.version
        check_files(lake, table)
        # Once more, at another moment: nothing changes.
        again = load(catalog, lake, table, records, moment + timedelta(hours=1))
        distinct = len(last_of_each(table, records))
        assert again == Merged(unchanged=distinct)
        assert current(lake, table) == snapshot
        found = records_of(lake, table)
        names = {name for record in found.values() for name in record} - {table.partition}
        wanted = {key: {name: record.get(name) for name in names} for key, record in model.items()}
        got = {key: {name: row[name] for name in names} for key, row in found.items()}
        assert got == wanted


@EXAMPLES
@given(files=files_of(ACTIVITY))
def test_activities_merge_as_a_dict_would(
    files: list[list[Record]], shared_catalog: Catalog, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    compare_loads(shared_catalog, folder, ACTIVITIES, files, lambda _: replace)


@EXAMPLES
@given(files=files_of(LEAD))
def test_leads_merge_as_a_dict_would(
    files: list[list[Record]], shared_catalog: Catalog, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    complete = partial(partial, replace_lead)
    compare_loads(shared_catalog, folder, LEADS, files, complete)


@examples(10)
@given(files=files_of(MEMBER))
def test_list_members_merge_as_a_set_would(
    files: list[list[Record]], shared_catalog: Catalog, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    compare_loads(shared_catalog, folder, LIST_MEMBERS, files, lambda _: replace)


def activity(guid: str, moment: str, **others: Any) -> Record:
    record = {"marketoGUID": guid, "leadId": 1, "activityDate": moment, "activityTypeId": 1}
    return {**record, **others}


def test_an_activity_whose_date_was_corrected_moves_and_keeps_what_the_file_has_not(
    lake: Lake, catalog: Catalog
) -> None:
    first = activity("a", "2026-01-01T00:00:00Z", primaryAttributeValue="x", attributes={"k": 1})
    load(catalog, lake, ACTIVITIES, [first, activity("b", "2026-01-01T00:00:00Z")])
    moved = load(catalog, lake, ACTIVITIES, [activity("a", "2026-01-09T00:00:00Z")])
    assert (moved.added, moved.changed, moved.unchanged) == (0, 1, 0)
    found = records_of(lake, ACTIVITIES)
    assert {key: row["day"] for key, row in found.items()} == {
        ("a",): date(2026, 1, 9),
        ("b",): date(2026, 1, 1),
    }
    assert found["a",]["primaryAttributeValue"] == "x"
    assert found["a",]["attributes"] == '{"k": 1}'


def test_a_partition_that_all_records_leave_has_no_file(lake: Lake, catalog: Catalog) -> None:
    load(catalog, lake, ACTIVITIES, [activity("a", "2026-01-01T00:00:00Z")])
    load(catalog, lake, ACTIVITIES, [activity("a", "2026-01-09T00:00:00Z")])
    files = current(lake, ACTIVITIES).files
    assert [(file.partition, file.records) for file in files] == [(date(2026, 1, 9), 1)]


def test_of_an_activity_that_a_file_has_on_two_days_the_last_is_kept(
    lake: Lake, catalog: Catalog
) -> None:
    days = ["2026-01-03", "2026-01-01", "2026-01-03", "2026-01-02"]
    records = [activity("a", f"{day}T00:00:00Z") for day in days]
    records.append(activity("b", "2026-01-01T00:00:00Z"))
    assert load(catalog, lake, ACTIVITIES, records).added == 2
    found = records_of(lake, ACTIVITIES)
    assert {key: row["day"].day for key, row in found.items()} == {("a",): 2, ("b",): 1}


def test_moved_records_are_found_whatever_number_of_keys_is_held_at_a_time(
    lake: Lake, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "KEYS_AT_ONCE", 2)
    before = [activity(str(n), f"2026-01-{n % 5 + 1:02}T00:00:00Z") for n in range(20)]
    after = [activity(str(n), f"2026-01-{n % 7 + 1:02}T00:00:00Z") for n in range(20)]
    load(catalog, lake, ACTIVITIES, before)
    merged = load(catalog, lake, ACTIVITIES, after)
    same = sum(n % 5 == n % 7 for n in range(20))
    assert (merged.added, merged.changed, merged.unchanged) == (0, 20 - same, same)
    found = records_of(lake, ACTIVITIES)
    assert {key[0]: row["day"].day for key, row in found.items()} == {
        str(n): n % 7 + 1 for n in range(20)
    }


def test_a_partition_of_many_files_is_written_anew(lake: Lake, catalog: Catalog) -> None:
    counts = []
    for n in range(MANY_FILES + 2):
        load(catalog, lake, ACTIVITIES, [activity(f"{n}", "2026-01-01T00:00:00Z")])
        counts.append(len(current(lake, ACTIVITIES).files))
        check_files(lake, ACTIVITIES)
    assert counts == [*range(1, MANY_FILES + 1), 1, 2]
    assert len(records_of(lake, ACTIVITIES)) == MANY_FILES + 2


def test_new_records_go_into_a_file_of_their_own_and_others_stay_where_they_are(
    lake: Lake, catalog: Catalog
) -> None:
    load(catalog, lake, LEADS, [{"id": 1}, {"id": 60_000}])
    before = current(lake, LEADS).files
    load(catalog, lake, LEADS, [{"id": 2}, {"id": 60_000}])
    after = current(lake, LEADS).files
    assert {file.path for file in before} < {file.path for file in after}
    assert len(after) == 3


def test_columns_that_a_file_has_not_stay_as_they_are(lake: Lake, catalog: Catalog) -> None:
    load(catalog, lake, LEADS, [{"id": 1, "firstName": "Ann", "email": "a@example.com"}])
    load(catalog, lake, LEADS, [{"id": 1, "lastName": "Lee", "email": None}])
    lead = records_of(lake, LEADS)[1,]
    assert (lead["firstName"], lead["lastName"], lead["email"]) == ("Ann", "Lee", None)


CREATED, UPDATED = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
LATER = MOMENT + timedelta(days=1)


@pytest.mark.parametrize(
    ("said", "created", "updated", "changed"),
    [
        ({}, MOMENT, MOMENT, MOMENT),
        ({"createdAt": CREATED}, CREATED, MOMENT, CREATED),
        ({"updatedAt": UPDATED}, MOMENT, UPDATED, UPDATED),
        ({"createdAt": CREATED, "updatedAt": UPDATED}, CREATED, UPDATED, UPDATED),
        ({"createdAt": UPDATED, "updatedAt": CREATED}, UPDATED, CREATED, UPDATED),
        ({"createdAt": None, "updatedAt": None}, None, None, MOMENT),
    ],
)
def test_a_new_lead_was_changed_when_it_says_so(  # noqa: PLR0913, PLR0917 - a case and two fixtures
    said: Record,
    created: datetime | None,
    updated: datetime | None,
    changed: datetime,
    lake: Lake,
    catalog: Catalog,
) -> None:
    written = {name: value and value.isoformat() for name, value in said.items()}
    load(catalog, lake, LEADS, [{"id": 1, "firstName": "Ann", **written}])
    lead = records_of(lake, LEADS)[1,]
    assert (lead["createdAt"], lead["updatedAt"], lead[CHANGED_AT]) == (created, updated, changed)


def test_a_lead_that_differs_is_changed_now_whatever_it_says(lake: Lake, catalog: Catalog) -> None:
    stated = {"createdAt": CREATED.isoformat(), "updatedAt": UPDATED.isoformat()}
    load(catalog, lake, LEADS, [{"id": 1, "firstName": "Ann", **stated}])
    load(catalog, lake, LEADS, [{"id": 1, "firstName": "Eve", **stated}], LATER)
    lead = records_of(lake, LEADS)[1,]
    assert (lead["createdAt"], lead["updatedAt"], lead[CHANGED_AT]) == (CREATED, UPDATED, LATER)


def test_a_lead_that_differs_is_updated_now_where_it_does_not_say(
    lake: Lake, catalog: Catalog
) -> None:
    load(catalog, lake, LEADS, [{"id": 1, "firstName": "Ann", "createdAt": CREATED.isoformat()}])
    load(catalog, lake, LEADS, [{"id": 1, "firstName": "Eve"}], LATER)
    lead = records_of(lake, LEADS)[1,]
    assert (lead["createdAt"], lead["updatedAt"], lead[CHANGED_AT]) == (CREATED, LATER, LATER)


def test_a_lead_that_is_the_same_keeps_its_times(lake: Lake, catalog: Catalog) -> None:
    load(catalog, lake, LEADS, [{"id": 1, "firstName": "Ann"}])
    load(catalog, lake, LEADS, [{"id": 1, "firstName": "Ann"}], LATER)
    lead = records_of(lake, LEADS)[1,]
    assert (lead["createdAt"], lead["updatedAt"], lead[CHANGED_AT]) == (MOMENT, MOMENT, MOMENT)


def test_a_column_that_another_load_added_in_another_type_is_refused(
    lake: Lake, tmp_path: Path
) -> None:
    for of, refused in ((pl.Int64(), False), (pl.String(), True)):
        staged = Staging(tmp_path, LEADS)
        staged.add(pl.DataFrame({"id": [1], "shoeSize": ["43"]}))
        staged.settle({"shoeSize": of})
        if not refused:
            merge(lake, LEADS, staged, MOMENT, {}, lambda _: None)
            continue
        with pytest.raises(ColumnChangedError, match="shoeSize"):
            merge(lake, LEADS, staged, MOMENT, {}, lambda _: None)
    assert records_of(lake, LEADS)[1,]["shoeSize"] == 43


def test_a_file_without_records_changes_nothing(lake: Lake, catalog: Catalog) -> None:
    lake.folder.mkdir(parents=True)
    assert load(catalog, lake, LEADS, []) == Merged()
    load(catalog, lake, LEADS, [{"id": 1}])
    version = current(lake, LEADS).version
    assert load(catalog, lake, LEADS, []) == Merged()
    assert current(lake, LEADS).version == version


def test_a_record_without_a_key_is_refused(lake: Lake, catalog: Catalog) -> None:
    lake.folder.mkdir(parents=True)
    with pytest.raises(FileError, match="marketoGUID: missing"):
        load(catalog, lake, ACTIVITIES, [activity("", "2026-01-01T00:00:00Z")])
    assert lake.snapshot(ACTIVITIES) is None
