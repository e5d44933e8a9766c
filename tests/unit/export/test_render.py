import io
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.export.assemble import assemble
from outhaul.export.formats import CSV
from outhaul.export.formats.delimited import Delimited
from outhaul.export.local import LocalExecutor
from outhaul.export.plan import Plan, make_plan
from outhaul.export.render import render_part
from outhaul.export.request import read_request
from outhaul.kinds import find_kind
from outhaul.kinds.activities import DEFAULT_FIELDS
from outhaul.kinds.filter import Context
from outhaul.lake import tables
from outhaul.lake.failures import LakeError
from outhaul.lake.snapshot import Lake
from outhaul.protocol.dialects import line
from outhaul.reading import scan
from outhaul.storage.folder import FolderStore

Load = Callable[[Lake, str, Iterable[Mapping[str, Any]]], None]

DAY = datetime(2026, 1, 10, tzinfo=UTC)
TEXTS = ["plain", "null", "", None, 'a "quoted" one', "a, b; c", "two\nlines", "tab\there", "a b"]


def plan_of(
    lake: Lake, context: Context, kind: str, part_records: int = 1_000, **body: Any
) -> Plan:
    request = read_request(find_kind(kind, context), body, context)
    return make_plan(find_kind(kind, context), request, context, lake, part_records)


def rendered(plan: Plan, lake: Lake) -> str:
    target = io.BytesIO()
    for number in range(plan.part_count):
        render_part(plan.task(number, ""), lake, target, lambda: None)
    return target.getvalue().decode()


def text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def window(start: datetime, end: datetime) -> dict[str, dict[str, str]]:
    return {"createdAt": {"startAt": text(start), "endAt": text(end)}}


ALWAYS = window(DAY - timedelta(days=5), DAY + timedelta(days=25))


def activity(
    guid: str, moment: datetime, value: str | None = "plain", **more: Any
) -> dict[str, Any]:
    return {
        "marketoGUID": guid,
        "leadId": int(guid) + 1,
        "activityDate": moment.isoformat(),
        "activityTypeId": 1,
        "campaignId": None,
        "primaryAttributeValueId": 7,
        "primaryAttributeValue": value,
        "attributes": '{"Text":"a, \\"b\\""}',
    } | more


def as_line(record: Mapping[str, Any], separator: str = ",") -> str:
    moment = datetime.fromisoformat(record["activityDate"])
    cells = {**record, "activityDate": text(moment)}
    values = [None if cells[name] is None else str(cells[name]) for name in DEFAULT_FIELDS]
    return line(values, separator)


def in_order(records: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(
        records, key=lambda r: (datetime.fromisoformat(r["activityDate"]), r["marketoGUID"])
    )


class Days:
    """Three days of activities: the first and the last small, loaded in files that overlap."""

    def __init__(self, folder: Path, load: Load) -> None:
        self.lake = Lake(folder)
        self.records = [
            activity(
                # so that neither numbers nor loads come in the order of time
                f"{n * 37 % 101:05}",
                DAY
                + timedelta(days=0 if n < 10 else 1 if n < 90 else 2)
                + timedelta(minutes=n * 53 % 97, microseconds=n % 3),
                TEXTS[n % len(TEXTS)],
            )
            for n in range(100)
        ]
        for first in range(4):
            load(self.lake, "activities", self.records[first::4])

    @property
    def expected(self) -> str:
        header = line(DEFAULT_FIELDS, ",")
        return header + "".join(as_line(record) for record in in_order(self.records))


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory, load: Load) -> Days:
    return Days(tmp_path_factory.mktemp("days"), load)


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("part_records", [1, 7, 1_000])
def test_the_same_bytes_however_a_plan_is_cut(
    days: Days, context: Context, tmp_path: Path, part_records: int, threads: int
) -> None:
    plan = plan_of(days.lake, context, "activities", part_records, filter=ALWAYS)
    assert (len(plan.reading.parts) > 20) == (part_records == 1)
    files = FolderStore(tmp_path)
    executor = LocalExecutor(files, threads)
    manifest = assemble(
        plan,
        days.lake,
        prefix="job/a",
        files=files,
        executor=executor,
        stop=threading.Event(),
    )
    executor.close()
    whole = b"".join(files.read(p.key, 0, p.size) for p in manifest.parts if p.size)
    assert whole.decode() == days.expected
    assert manifest.records == len(days.records)


def test_files_of_a_day_that_overlap_come_out_in_order(days: Days, context: Context) -> None:
    plan = plan_of(days.lake, context, "activities", filter=ALWAYS)
    assert max(len(files) for part in plan.reading.parts for files in part.partitions) == 4
    assert rendered(plan, days.lake) == days.expected


def test_activities_of_one_moment_come_by_their_guid(
    lake: Lake, context: Context, load: Load
) -> None:
    for guids in ("5 2 9", "1 7", "8 3", "6 4"):
        load(lake, "activities", [activity(guid, DAY) for guid in guids.split()])
    plan = plan_of(lake, context, "activities", filter=ALWAYS, fields=["marketoGUID"])
    assert rendered(plan, lake).split() == ["marketoGUID", *"123456789"]


@pytest.mark.parametrize("part_records", [1, 1_000])
def test_a_window_has_both_its_ends_to_the_second(
    lake: Lake, context: Context, load: Load, part_records: int
) -> None:
    micro = timedelta(microseconds=1)
    end = DAY + timedelta(hours=1)
    moments = [DAY - micro, DAY, DAY + micro, end, end + timedelta(seconds=1) - micro]
    moments.append(end + timedelta(seconds=1))
    load(lake, "activities", [activity(f"{n}", moment) for n, moment in enumerate(moments)])
    plan = plan_of(
        lake, context, "activities", part_records, filter=window(DAY, end), fields=["marketoGUID"]
    )
    assert rendered(plan, lake).split() == ["marketoGUID", "1", "2", "3", "4"]


@pytest.mark.parametrize(("name", "separator"), [("CSV", ","), ("TSV", "\t"), ("SSV", " ")])
def test_each_format_has_its_separator(
    days: Days, context: Context, name: str, separator: str
) -> None:
    plan = plan_of(days.lake, context, "activities", filter=ALWAYS, format=name)
    lines = "".join(as_line(record, separator) for record in in_order(days.records))
    assert rendered(plan, days.lake) == line(DEFAULT_FIELDS, separator) + lines


def test_columns_come_in_the_order_of_the_fields_under_their_headers(
    lake: Lake, context: Context, load: Load
) -> None:
    load(lake, "activities", [activity("1", DAY, actionResult="succeeded")])
    plan = plan_of(
        lake,
        context,
        "activities",
        filter=ALWAYS,
        fields=["actionResult", "leadId", "marketoGUID"],
        columnHeaderNames={"leadId": 'Lead, "the" id'},
    )
    assert rendered(plan, lake) == ('actionResult,"Lead, ""the"" id",marketoGUID\nsucceeded,2,1\n')


@pytest.mark.parametrize("kind", ["leads", "activities"])
def test_where_nothing_was_ever_loaded_the_file_is_its_header(
    lake: Lake, context: Context, kind: str
) -> None:
    field = {"leads": "email", "activities": "marketoGUID"}[kind]
    assert (
        rendered(plan_of(lake, context, kind, filter=ALWAYS, fields=[field]), lake) == f"{field}\n"
    )


def test_where_nothing_matches_the_file_is_its_header(
    lake: Lake, context: Context, load: Load
) -> None:
    load(lake, "activities", [activity("1", DAY), activity("2", DAY + timedelta(hours=2))])
    hour = timedelta(hours=1)
    for start in (DAY + hour, DAY + 3 * hour):  # between the records, and after all of them
        wanted = window(start, start + timedelta(minutes=5))
        plan = plan_of(lake, context, "activities", filter=wanted, fields=["leadId"])
        assert rendered(plan, lake) == "leadId\n"


LEADS = [{"id": n, "createdAt": text(DAY), "email": f"{n}@x.example"} for n in (1, 2, 60_000)]


def test_members_are_those_of_the_plan(lake: Lake, context: Context, load: Load) -> None:
    load(lake, "leads", LEADS)
    wanted: dict[str, Any] = {"filter": {"staticListId": 1001}, "fields": ["id"]}
    nobody = plan_of(lake, context, "leads", **wanted)
    load(
        lake,
        "list_members",
        [{"listId": 1001, "leadId": 60_000}, {"listId": 1002, "leadId": 2}],
    )
    one = plan_of(lake, context, "leads", **wanted)
    load(lake, "list_members", [{"listId": 1001, "leadId": n} for n in (1, 999)])
    two = plan_of(lake, context, "leads", **wanted)
    assert rendered(nobody, lake) == "id\n"
    assert rendered(one, lake) == "id\n60000\n"
    assert rendered(two, lake) == "id\n1\n60000\n"


def test_what_is_loaded_after_the_plan_is_not_seen(
    lake: Lake, context: Context, load: Load
) -> None:
    load(lake, "leads", LEADS)
    wanted: dict[str, Any] = {"filter": ALWAYS, "fields": ["id", "email"]}
    plan = plan_of(lake, context, "leads", **wanted)
    before = rendered(plan, lake)
    for n in range(12):  # enough for the files to be written anew
        load(
            lake, "leads", [{**LEADS[0], "email": f"new{n}@x.example"}, {**LEADS[1], "id": 10 + n}]
        )
    assert rendered(Plan.from_json(plan.to_json()), lake) == before
    assert rendered(plan_of(lake, context, "leads", **wanted), lake).count("\n") == 16


def test_a_field_that_the_table_has_not_got_is_null(
    lake: Lake, context: Context, load: Load
) -> None:
    load(lake, "leads", LEADS[:1])
    plan = plan_of(lake, context, "leads", filter=ALWAYS, fields=["leadScore", "id", "company"])
    assert rendered(plan, lake) == "leadScore,id,company\nnull,1,null\n"


def test_a_field_that_came_with_a_later_file_is_null_in_the_earlier(
    lake: Lake, context: Context, load: Load
) -> None:
    load(lake, "leads", LEADS[:1])
    load(lake, "leads", [{**LEADS[1], "company": "Rope & Rigging"}])
    plan = plan_of(lake, context, "leads", filter=ALWAYS, fields=["company", "id"])
    assert rendered(plan, lake) == "company,id\nnull,1\nRope & Rigging,2\n"


def test_attributes_that_are_missing_are_an_empty_object(
    lake: Lake, context: Context, load: Load
) -> None:
    record = activity("1", DAY)
    del record["attributes"]
    load(lake, "activities", [record])
    plan = plan_of(lake, context, "activities", filter=ALWAYS, fields=["attributes", "campaignId"])
    assert rendered(plan, lake) == "attributes,campaignId\n{},null\n"


def test_numbers_without_a_fraction_are_written_as_integers(
    lake: Lake, context: Context, load: Load
) -> None:
    values = [5.0, 0.5, -3.0, None, 12_000_000.0, 1234.56, 999_999_999_999_999.0, 0.0]
    load(
        lake,
        "leads",
        [{"id": n, "createdAt": text(DAY), "annualRevenue": v} for n, v in enumerate(values, 1)],
    )
    plan = plan_of(lake, context, "leads", filter=ALWAYS, fields=["annualRevenue"])
    assert rendered(plan, lake).split() == [
        "annualRevenue",
        *("5", "0.5", "-3", "null", "12000000", "1234.56", "999999999999999", "0"),
    ]


def test_every_type_has_its_text(lake: Lake, context: Context, load: Load) -> None:
    lead = {
        "id": 1,
        "createdAt": text(DAY),
        "unsubscribed": True,
        "doNotCall": False,
        "dateOfBirth": "1980-02-29",
        "leadScore": -5,
        "mktoAcquisitionDate": "2026-01-05T10:00:00.75+01:00",
        "company": "null",
        "city": "",
        "title": 'a "b"',
    }
    load(lake, "leads", [lead])
    fields = list(lead)
    plan = plan_of(lake, context, "leads", filter=ALWAYS, fields=fields)
    _, row = rendered(plan, lake).splitlines()
    assert dict(zip(fields, row.split(","), strict=True)) == {
        "id": "1",
        "createdAt": "2026-01-10T00:00:00Z",
        "unsubscribed": "true",
        "doNotCall": "false",
        "dateOfBirth": "1980-02-29",
        "leadScore": "-5",
        "mktoAcquisitionDate": "2026-01-05T09:00:00Z",
        "company": '"null"',
        "city": '""',
        "title": '"a ""b"""',
    }


CELLS = (
    st.none()
    | st.sampled_from(["null", "", "NULL", "nul", " ", "é", "#", "1", "true"])
    | st.text(st.characters(codec="utf-8") | st.sampled_from(list(',;\t "\n\r')), max_size=6)
)


@given(
    st.integers(1, 3).flatmap(
        lambda width: st.lists(
            st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=5
        )
    ),
    st.sampled_from([",", "\t", " ", ";"]),
)
def test_lines_are_those_of_the_dialect(rows: list[list[str | None]], separator: str) -> None:
    schema = {f"column_{n}": pl.String() for n in range(len(rows[0]))}
    target = io.BytesIO()
    Delimited("CSV", separator).batch(pl.DataFrame(rows, schema=schema, orient="row"), [], target)
    assert target.getvalue().decode() == "".join(line(row, separator) for row in rows)


def test_a_text_null_beside_other_types_is_quoted() -> None:
    batch = pl.DataFrame({"id": [1, 2], "on": [True, None], "text": ["null", 'a "b", c']})
    target = io.BytesIO()
    CSV.batch(batch, [], target)
    assert target.getvalue() == b'1,true,"null"\n2,null,"a ""b"", c"\n'


class EndedError(Exception):
    """The check says stop."""


def test_a_check_between_batches_ends_a_part(
    days: Days, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "BATCH_RECORDS", 10)
    plan = plan_of(days.lake, context, "activities", filter=ALWAYS)
    calls = iter(range(3))

    def check() -> None:
        if next(calls, None) is None:
            raise EndedError

    target = io.BytesIO()
    with pytest.raises(EndedError):
        render_part(plan.task(0, ""), days.lake, target, check)
    assert target.getvalue().decode() != days.expected


@pytest.mark.parametrize("table", [tables.LEADS, tables.LIST_MEMBERS])
def test_a_damaged_file_is_named(
    lake: Lake, context: Context, load: Load, table: tables.Table
) -> None:
    load(lake, "leads", [{"id": 1, "createdAt": text(DAY)}])
    load(lake, "list_members", [{"listId": 1001, "leadId": 1}])
    plan = plan_of(lake, context, "leads", fields=["id"], filter={"staticListId": 1001})
    assert rendered(plan, lake) == "id\n1\n"
    snapshot = lake.snapshot(table)
    assert snapshot is not None
    (file,) = snapshot.files
    (lake.folder / table.name / file.path).write_bytes(b"PAR1 something else PAR1")
    with pytest.raises(LakeError, match=f"^{table.name}/{file.path} cannot be read: "):
        rendered(plan, lake)
