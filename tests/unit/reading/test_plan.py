import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.export.plan import Plan, make_plan
from outhaul.export.request import read_request
from outhaul.kinds import find_kind
from outhaul.kinds.filter import Context
from outhaul.lake.clauses import Clause, MemberOf, Within
from outhaul.lake.files import LakeFile, TableFile
from outhaul.lake.snapshot import Lake, Snapshot
from outhaul.lake.tables import ACTIVITIES, LEADS, Table
from outhaul.reading.reading import PlannedPart
from outhaul.reading.slices import slices
from outhaul.storage.location import Location

Load = Callable[[Lake, str, Iterable[Mapping[str, Any]]], None]

DAY = datetime(2026, 1, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def activity(guid: int, moment: datetime, kind: int = 1) -> dict[str, Any]:
    return {
        "marketoGUID": f"{guid:05}",
        "leadId": guid + 1,
        "activityDate": moment.isoformat(),
        "activityTypeId": kind,
    }


def window(start: datetime, end: datetime) -> dict[str, str]:
    return {"startAt": f"{start:%Y-%m-%dT%H:%M:%SZ}", "endAt": f"{end:%Y-%m-%dT%H:%M:%SZ}"}


JANUARY = window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC))


def plan_of(
    lake: Lake, context: Context, kind: str, part_records: int = 1_000, **body: Any
) -> Plan:
    request = read_request(find_kind(kind, context), body, context)
    return make_plan(find_kind(kind, context), request, context, lake, part_records)


def files_of(plan: Plan) -> list[str]:
    return [path for part in plan.reading.parts for files in part.partitions for path in files]


def days_of(plan: Plan) -> list[list[str]]:
    """Return the days of each part."""
    return [
        [files[0].partition("/")[0].removeprefix("day=") for files in part.partitions]
        for part in plan.reading.parts
    ]


def test_only_the_days_of_the_window_are_read(lake: Lake, context: Context, load: Load) -> None:
    load(lake, "activities", [activity(n, DAY + timedelta(days=n)) for n in range(6)])
    wanted = window(DAY + timedelta(days=1), DAY + timedelta(days=4) - SECOND)
    plan = plan_of(lake, context, "activities", filter={"createdAt": wanted})
    assert days_of(plan) == [["2026-01-11", "2026-01-12", "2026-01-13"]]


def test_only_files_whose_statistics_can_match_are_read(
    lake: Lake, context: Context, load: Load
) -> None:
    load(lake, "activities", [activity(n, DAY + n * SECOND, kind=1) for n in range(5)])
    evening = DAY + timedelta(hours=20)
    load(lake, "activities", [activity(9, evening, kind=6), activity(8, evening, kind=10)])
    every = {"createdAt": JANUARY}
    assert len(files_of(plan_of(lake, context, "activities", filter=every))) == 2

    def number(**filters: Any) -> int:
        return len(files_of(plan_of(lake, context, "activities", filter=every | filters)))

    assert number(createdAt=window(DAY, DAY + timedelta(hours=1))) == 1
    assert number(createdAt=window(evening, evening)) == 1
    assert number(createdAt=window(DAY + timedelta(hours=1), DAY + timedelta(hours=2))) == 0
    assert number(activityTypeIds=[1]) == 1
    assert number(activityTypeIds=[7]) == 1, "7 lies between 6 and 10"
    assert number(activityTypeIds=[11]) == 0
    assert number(activityTypeIds=[1, 6]) == 2


def test_leads_are_pruned_by_the_time_of_their_creation(
    lake: Lake, context: Context, load: Load
) -> None:
    load(lake, "leads", [{"id": 1, "createdAt": "2026-01-05T00:00:00Z"}])
    load(lake, "leads", [{"id": 60_000, "createdAt": "2026-01-20T00:00:00Z"}])
    early = window(datetime(2026, 1, 1, tzinfo=UTC), DAY)
    found = plan_of(lake, context, "leads", filter={"createdAt": early}, fields=["id"])
    assert [part.ids for part in found.reading.parts] == [(1, 1)]
    both = plan_of(lake, context, "leads", filter={"createdAt": JANUARY}, fields=["id"])
    assert [part.ids for part in both.reading.parts] == [(1, 60_000)]


def test_the_columns_are_those_of_the_fields_the_order_and_the_filters(
    lake: Lake, context: Context, load: Load
) -> None:
    load(lake, "activities", [activity(1, DAY)])
    plan = plan_of(
        lake,
        context,
        "activities",
        filter={"createdAt": JANUARY, "activityTypeIds": [1]},
        fields=["leadId"],
    )
    assert set(plan.reading.columns) == {"leadId", "activityDate", "marketoGUID", "activityTypeId"}


def test_small_partitions_share_a_part(lake: Lake, context: Context, load: Load) -> None:
    load(lake, "activities", [activity(n, DAY + timedelta(days=n // 3)) for n in range(15)])
    every = {"createdAt": JANUARY}
    days = [f"2026-01-{day}" for day in range(10, 15)]
    assert days_of(plan_of(lake, context, "activities", 7, filter=every)) == [
        days[:2],
        days[2:4],
        days[4:],
    ]
    assert days_of(plan_of(lake, context, "activities", 3, filter=every)) == [[d] for d in days]
    assert days_of(plan_of(lake, context, "activities", 15, filter=every)) == [days]


def test_a_large_partition_is_cut_between_its_small_neighbours(
    lake: Lake, context: Context, load: Load
) -> None:
    records = [activity(0, DAY), activity(9, DAY + timedelta(days=2))]
    middle = DAY + timedelta(days=1)
    records += [activity(n, middle + timedelta(hours=n)) for n in range(1, 9)]
    load(lake, "activities", records)
    plan = plan_of(lake, context, "activities", 3, filter={"createdAt": JANUARY})
    assert days_of(plan) == [["2026-01-10"], *[["2026-01-11"]] * 3, ["2026-01-12"]]
    assert [part.slice is not None for part in plan.reading.parts] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_a_slice_that_no_file_reaches_is_not_planned(
    lake: Lake, context: Context, load: Load
) -> None:
    load(lake, "activities", [activity(n, DAY + n * SECOND) for n in range(5)])
    load(lake, "activities", [activity(9, DAY + timedelta(hours=23))])
    plan = plan_of(lake, context, "activities", 1, filter={"createdAt": JANUARY})
    assert all(files for part in plan.reading.parts for files in part.partitions)
    assert len(plan.reading.parts) == 2


def test_a_large_range_of_leads_is_one_part(lake: Lake, context: Context, load: Load) -> None:
    load(lake, "leads", [{"id": n, "createdAt": DAY.isoformat()} for n in range(1, 9)])
    plan = plan_of(lake, context, "leads", 2, filter={"createdAt": JANUARY}, fields=["id"])
    assert [(part.ids, part.slice) for part in plan.reading.parts] == [((1, 8), None)]


@pytest.mark.parametrize("kind", ["leads", "activities"])
def test_where_nothing_was_ever_loaded_there_is_nothing_to_read(
    lake: Lake, context: Context, kind: str
) -> None:
    plan = plan_of(
        lake,
        context,
        kind,
        filter={"createdAt": JANUARY},
        fields=["leadId" if kind == "activities" else "id"],
    )
    assert (plan.reading.version, list(plan.reading.parts), dict(plan.reading.columns)) == (
        None,
        [],
        {},
    )
    assert not lake.folder.exists(), "planning writes nothing"


def test_the_members_of_a_list_are_pinned(lake: Lake, context: Context, load: Load) -> None:
    load(lake, "leads", [{"id": n, "createdAt": DAY.isoformat()} for n in (1, 2)])
    nobody = plan_of(lake, context, "leads", filter={"staticListId": 1001}, fields=["id"])
    assert nobody.reading.clauses == [MemberOf(1001, "id", ())]
    load(lake, "list_members", [{"listId": 1001, "leadId": 1}, {"listId": 1002, "leadId": 2}])
    plan = plan_of(lake, context, "leads", filter={"staticListId": 1001}, fields=["id"])
    load(lake, "list_members", [{"listId": 1001, "leadId": 2}])
    (file,) = set(plan.reading.files) - {TableFile("leads", path) for path in files_of(plan)}
    assert file.table == "list_members"
    assert file.path.startswith("listId=1001/")


REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("activities", {"filter": {"createdAt": JANUARY}}),
    ("activities", {"filter": {"createdAt": JANUARY, "activityTypeIds": [1, 6]}, "format": "SSV"}),
    (
        "activities",
        {
            "filter": {
                "createdAt": JANUARY,
                "activityTypeIds": [2],
                "primaryAttributeValues": ["Website.Contact"],
            }
        },
    ),
    (
        "activities",
        {
            "filter": {
                "createdAt": JANUARY,
                "activityTypeIds": [2],
                "primaryAttributeValueIds": [31],
            },
            "columnHeaderNames": {"leadId": 'a "quoted", header'},
        },
    ),
    ("leads", {"filter": {"staticListId": 1001}, "fields": ["id", "annualRevenue", "email"]}),
    ("leads", {"filter": {"updatedAt": JANUARY}, "fields": ["id"], "format": "TSV"}),
]


@pytest.mark.parametrize(("kind", "body"), REQUESTS)
def test_a_plan_comes_back_from_json(
    lake: Lake, context: Context, load: Load, kind: str, body: dict[str, Any]
) -> None:
    records = [activity(n, DAY + timedelta(minutes=n * 7), n % 2 + 1) for n in range(20)]
    load(lake, "activities", [{**r, "primaryAttributeValueId": 31} for r in records])
    load(lake, "leads", [{"id": 5, "createdAt": DAY.isoformat(), "annualRevenue": 1.5}])
    load(lake, "list_members", [{"listId": 1001, "leadId": 5}])
    for part_records in (1, 7, 1_000):
        plan = plan_of(lake, context, kind, part_records, **body)
        assert plan.reading.parts
        assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_the_empty_plan_comes_back_from_json(lake: Lake, context: Context) -> None:
    plan = plan_of(lake, context, "leads", filter={"staticListId": 1001}, fields=["id"])
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


# Slices, over files that are only described

LAST = datetime(9999, 12, 31, tzinfo=UTC)
MOMENTS = st.integers(0, 86_399_999_999)


@st.composite
def days(draw: st.DrawFn) -> tuple[list[LakeFile], Within, int]:
    """A day of files, a window that may cut it, and the records of a part."""
    day = draw(st.sampled_from([DAY, LAST]))

    def moment() -> datetime:
        return day + timedelta(microseconds=draw(MOMENTS))

    files = []
    for n in range(draw(st.integers(1, 4))):
        bounds = sorted([moment(), moment()])
        files.append(
            LakeFile(
                path=f"day={day:%Y-%m-%d}/{n}.parquet",
                size=1,
                records=draw(st.integers(1, 50)),
                partition=date(day.year, day.month, day.day),
                bounds={"activityDate": (bounds[0], bounds[1])},
            )
        )
    start, end = sorted([moment(), moment()])
    wanted = Within("activityDate", start.replace(microsecond=0), end.replace(microsecond=0))
    return files, wanted, draw(st.sampled_from([1, 7, 20]))


def parts_of(
    partitions: Sequence[Sequence[LakeFile]],
    table: Table,
    clauses: Sequence[Clause],
    part_records: int,
) -> list[PlannedPart]:
    files = [file for each in partitions for file in each]
    snapshot = Snapshot(version=0, location=Location(url=""), columns={}, files=files)
    return [each.part(table) for each in slices(snapshot, table, clauses, part_records)]


def has(part: PlannedPart, file: LakeFile, moment: datetime) -> bool:
    inside = part.slice is None or part.slice.may_match({"activityDate": (moment, moment)})
    return inside and [file.path] == [
        p for files in part.partitions for p in files if p == file.path
    ]


@given(days(), st.data())
def test_slices_cover_a_day_without_overlap_or_gap(
    example: tuple[list[LakeFile], Within, int], data: st.DataObject
) -> None:
    files, wanted, part_records = example
    parts = parts_of([files], ACTIVITIES, [wanted], part_records)
    for file in files:
        least, greatest = file.bounds["activityDate"]
        span = (greatest - least) // timedelta(microseconds=1)
        offsets = data.draw(st.lists(st.integers(0, span), max_size=5))
        for offset in [0, span, *offsets]:
            moment = least + timedelta(microseconds=offset)
            if wanted.may_match({"activityDate": (moment, moment)}):
                assert [has(part, file, moment) for part in parts].count(True) == 1
    stretches = [part.slice for part in parts if isinstance(part.slice, Within)]
    assert all(earlier.end < later.start for earlier, later in pairwise(stretches))
    assert all(files for part in parts for files in part.partitions)
    records = sum(file.records for file in files)
    assert len(parts) <= -(-records // part_records)


@given(st.lists(st.integers(1, 30), max_size=12), st.integers(1, 40))
def test_parts_keep_the_order_and_are_not_larger_than_they_must_be(
    sizes: list[int], part_records: int
) -> None:
    partitions = [
        [LakeFile(path=f"{n}", size=1, records=size, partition=n, bounds={"id": (n, n)})]
        for n, size in enumerate(sizes)
    ]
    parts = parts_of(partitions, LEADS, [], part_records)
    assert [path for part in parts for (path,) in part.partitions] == [
        f"{n}" for n in range(len(sizes))
    ]
    for part in parts:
        records = sum(sizes[int(path)] for (path,) in part.partitions)
        assert records <= part_records or len(part.partitions) == 1
    for one, following in pairwise(parts):
        first = sizes[int(following.partitions[0][0])]
        assert sum(sizes[int(p)] for (p,) in one.partitions) + first > part_records
