"""What outhaul exported, and loads again, is as it was: every record, of every kind and format."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples
from tests.support.reading_files import TEXTS

from outhaul.conformance.kinds import KindSuite
from outhaul.export.formats import FORMATS
from outhaul.kinds.activities import ACTIVITIES
from outhaul.kinds.custom_objects import CUSTOM_OBJECTS
from outhaul.kinds.leads import LEADS
from outhaul.kinds.program_members import PROGRAM_MEMBERS
from outhaul.kinds.registry import AnyKind
from outhaul.lake.tables import DELETED_LEADS
from outhaul.limits import Limits
from outhaul.loading.merge import Merged

MOMENT = datetime(2026, 1, 31, 12, 30, 15, 999_999, tzinfo=UTC)
JANUARY = {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-31T23:59:59Z"}
NUMBERS = st.none() | st.integers(-(2**63), 2**63 - 1)
FLOATS = (
    st.none()
    | st.sampled_from([1e16, 1e22, -0.0, 5e-324, 1e300, 0.1, 3.0])
    | st.floats(allow_nan=False, allow_infinity=False)
)
FLAGS = st.none() | st.booleans()
WORDS = st.none() | st.sampled_from(["", "null", "{}", "a\rb", "\ufeffa", '"']) | TEXTS


def moments(first: datetime, last: datetime) -> st.SearchStrategy[str]:
    """Moments, half of them with digits below the second."""
    drawn = st.datetimes(first, last) | st.datetimes(first, last).map(
        lambda moment: moment.replace(microsecond=0)
    )
    return drawn.map(lambda moment: moment.isoformat() + "Z")


IN_JANUARY = moments(datetime(2026, 1, 1), datetime(2026, 1, 31, 23))  # noqa: DTZ001 - in UTC, by its text
EVER = st.none() | moments(datetime(1600, 1, 1), datetime(9999, 12, 31))  # noqa: DTZ001 - as above
DAYS = st.none() | st.dates(date(1600, 1, 1)).map(str)


def records(key: str, keys: st.SearchStrategy[Any], **members: Any) -> Any:
    """Records of different keys. Each may lack members that can be null."""
    one = st.fixed_dictionaries({key: keys, **members})
    return st.lists(one, min_size=1, max_size=6, unique_by=lambda record: record[key])


IDS = st.sampled_from([1, 7, 49_999, 50_000, 2**40])

DRAWN: Mapping[str, Any] = {
    "leads": records(
        "id",
        IDS,
        createdAt=IN_JANUARY,
        updatedAt=EVER,
        email=WORDS,
        company=WORDS,
        leadScore=NUMBERS,
        annualRevenue=FLOATS,
        unsubscribed=FLAGS,
        dateOfBirth=DAYS,
    ),
    "leads without updatedAt": records("id", IDS, createdAt=IN_JANUARY, email=WORDS),
    "activities": records(
        "marketoGUID",
        TEXTS.filter(bool),
        leadId=IDS,
        activityDate=IN_JANUARY,
        activityTypeId=st.sampled_from([1, 2, 13, 37]),
        campaignId=NUMBERS,
        primaryAttributeValueId=NUMBERS,
        primaryAttributeValue=WORDS,
        attributes=st.sampled_from([None, "{}", " {}", '{"a":"null,\\r\\u0000"}', '{"a": {}}\n']),
        actionResult=WORDS,
    ),
    "program members": records(
        "leadId",
        IDS,
        programId=st.just(1),
        statusName=WORDS,
        isExhausted=FLAGS,
        createdAt=EVER,
        updatedAt=EVER,
    ),
    "custom objects": records(
        "marketoGUID",
        TEXTS.filter(bool),
        updatedAt=IN_JANUARY,
        hull=TEXTS.filter(bool),
        leadId=IDS,
        length=FLOATS,
        decks=NUMBERS,
        sold=FLAGS,
        built=DAYS,
        seen=EVER,
    ),
}


class Leads(KindSuite):
    __test__ = False
    kind: ClassVar[AnyKind] = LEADS
    catalog: ClassVar[Mapping[str, Any]] = {"programs": [{"id": 1, "name": "Fair"}]}
    examples = ({"createdAt": JANUARY},)


class Activities(Leads):
    kind = ACTIVITIES


class Members(Leads):
    kind = PROGRAM_MEMBERS
    examples = ({"programId": 1},)


class Boats(Leads):
    kind = CUSTOM_OBJECTS
    type_name = "boat_c"
    catalog: ClassVar[Mapping[str, Any]] = {
        "customObjects": [
            {
                "apiName": "boat_c",
                "dedupeFields": ["hull"],
                "fields": [
                    {"name": "hull", "dataType": "string"},
                    {"name": "leadId", "dataType": "integer"},
                    {"name": "length", "dataType": "float"},
                    {"name": "decks", "dataType": "integer"},
                    {"name": "sold", "dataType": "boolean"},
                    {"name": "built", "dataType": "date"},
                    {"name": "seen", "dataType": "datetime"},
                ],
            }
        ]
    }
    examples = ({"updatedAt": JANUARY},)


SUITES: Mapping[str, type[KindSuite]] = {
    "leads": Leads,
    "leads without updatedAt": Leads,
    "activities": Activities,
    "program members": Members,
    "custom objects": Boats,
}
SEMICOLONS = Limits(ssv_delimiter="semicolon")
WAYS = [(name, Limits()) for name in FORMATS] + [("SSV", SEMICOLONS), ("SSV.GZ", SEMICOLONS)]


@pytest.mark.parametrize("records_of", SUITES)
def test_what_was_exported_and_is_loaded_again_is_as_it_was(
    records_of: str, tmp_path: Path
) -> None:
    suite, names = SUITES[records_of](), count()

    @examples(12)
    @given(drawn=DRAWN[records_of], way=st.sampled_from(WAYS))
    def check(drawn: list[dict[str, Any]], way: tuple[str, Limits]) -> None:
        name, limits = way
        bench.context = replace(bench.context, limits=limits)
        bench.moment = MOMENT
        lake = bench.lake(f"{next(names)}")
        bench.load_records(lake, drawn)
        body = {
            "filter": suite.examples[0],
            "fields": [*bench.kind.fields(bench.context)],
            "format": name,
        }
        exported = bench.export(lake, body)
        ending = FORMATS[name].extension.removeprefix(".")
        bench.moment = MOMENT + timedelta(days=1)
        again = bench.load(lake, exported, ending).merged
        assert again == Merged(unchanged=len(drawn))
        assert bench.export(lake, body) == exported
        # A lake that has nothing yet takes all of it.
        other = bench.lake(f"{next(names)}")
        assert bench.load(other, exported, ending).merged.added == len(drawn)

    with suite.bench(tmp_path) as bench:
        check()


def test_a_record_that_changes_keeps_what_exports_do_not_show(tmp_path: Path) -> None:
    with Activities().bench(tmp_path) as bench:
        lake = bench.lake("a")
        given = {
            "marketoGUID": "1",
            "leadId": 7,
            "activityDate": "2026-01-05T10:00:00.75Z",
            "activityTypeId": 1,
            "campaignId": 1,
        }
        bench.load_records(lake, [given])
        shown = given | {"activityDate": "2026-01-05T10:00:00Z", "attributes": "{}"}
        for record, changed in [
            (shown, 0),
            (shown | {"campaignId": 2}, 1),
            (shown | {"attributes": "{ }"}, 1),
            (shown | {"attributes": "{}"}, 1),
            (shown | {"activityDate": "2026-01-05T10:00:00.5Z"}, 1),
            (shown | {"activityDate": "2026-01-05T10:00:01Z"}, 1),
            (shown | {"activityDate": "2026-01-05T09:59:59Z"}, 1),
        ]:
            assert bench.load_records(lake, [record]).merged.changed == changed, record
            snapshot = lake.snapshot(bench.kind.table)
            assert snapshot is not None
            (stored,) = snapshot.scan(snapshot.files).collect().to_dicts()
            if record["activityDate"] == shown["activityDate"] and stored["campaignId"] == 2:
                assert stored["activityDate"].microsecond == 750_000
            if not changed:
                assert stored["attributes"] is None


def test_moments_before_1970_are_cut_as_exports_cut_them(tmp_path: Path) -> None:
    with Leads().bench(tmp_path) as bench:
        lake = bench.lake("a")
        given = {
            "id": 7,
            "createdAt": "2026-01-05T10:00:00Z",
            "updatedAt": "1969-12-31T23:59:58.5Z",
        }
        bench.load_records(lake, [given])
        fields = ["id", "createdAt", "updatedAt"]
        exported = bench.export(lake, {"filter": {"createdAt": JANUARY}, "fields": fields})
        assert b"1969-12-31T23:59:58Z" in exported
        assert bench.load(lake, exported, "csv").merged == Merged(unchanged=1)


def test_a_deletion_that_is_loaded_again_is_as_it_was(tmp_path: Path) -> None:
    with Activities().bench(tmp_path) as bench:
        lake = bench.lake("a")
        given = {"marketoGUID": "1", "leadId": 7, "activityTypeId": 37}
        for moment in ("2026-01-05T10:00:00.75Z", "2026-01-05T10:00:00Z"):
            bench.load_records(lake, [given | {"activityDate": moment}])
            deleted = lake.snapshot(DELETED_LEADS)
            assert deleted is not None
            assert deleted.version == 1
