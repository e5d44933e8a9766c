"""What a plan names is what is opened while it is rendered: no file more, and no file less."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.loads import (
    load_activities,
    load_custom_objects,
    load_leads,
    load_list_members,
    load_program_members,
)
from tests.support.opened_files import opened_files
from tests.support.plans import planned, rendered

from outhaul.catalog.entries import parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.export.plan import Plan
from outhaul.kinds import KINDS
from outhaul.kinds.filter import Context
from outhaul.lake.clauses import AnyOf, MemberOf, OneOf
from outhaul.lake.files import TableFile
from outhaul.lake.snapshot import Lake, Snapshots
from outhaul.lake.tables import LEADS, LEADS_A_RANGE, LIST_MEMBERS
from outhaul.limits import Limits
from outhaul.reading.planning import cut, pin_reading
from outhaul.smart_lists.clause import InSmartList
from outhaul.smart_lists.stored import rules_of, store_entries

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells which files are opened (inotify)"
)

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
JANUARY = {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-31T23:59:59Z"}
LEAD_IDS = [n * LEADS_A_RANGE + 7 for n in range(4)]
KEEN = {
    "any": [
        {"activity": 10, "atLeast": 1, "inPast": {"amount": 4, "unit": "days"}},
        {"all": [{"list": 1002, "operator": "member"}, {"field": "id", "operator": "not empty"}]},
    ]
}
CATALOG = {
    "staticLists": [{"id": 1001, "name": "Newsletter"}, {"id": 1002, "name": "Fair"}],
    "smartLists": [{"id": 2001, "name": "Keen", "rules": KEEN}],
    "programs": [{"id": 11, "name": "A"}, {"id": 12, "name": "B"}, {"id": 13, "name": "C"}],
    "forms": [{"id": 31, "name": "Contact", "program": "Website"}],
    "customObjects": [
        {
            "apiName": "boat_c",
            "relationships": [{"field": "owner", "relatedTo": {"name": "Lead", "field": "Id"}}],
            "fields": [{"name": "hull", "dataType": "string"}],
        }
    ],
}
LISTS: list[dict[str, Any]] = [
    {"staticListId": 1001},
    {"staticListName": "Fair"},
    {"smartListId": 2001},
    {"smartListName": "Keen"},
]
FORM = {"createdAt": JANUARY, "activityTypeIds": [2]}
# Of each kind a request for each of its filters; where a lead's fields are joined, with some.
REQUESTS: Mapping[str, tuple[list[str], list[dict[str, Any]]]] = {
    "leads": (["id", "email"], [{"createdAt": JANUARY}, {"updatedAt": JANUARY}, *LISTS]),
    "activities": (
        ["leadId", "attributes"],
        [
            {"createdAt": JANUARY, "activityTypeIds": [10]},
            {**FORM, "primaryAttributeValueIds": [31]},
            {**FORM, "primaryAttributeValues": ["Website.Contact"]},
        ],
    ),
    "program-members": (
        ["leadId", "statusName", "email"],
        [
            {"programId": 12},
            {"programIds": [11, 13], "updatedAt": JANUARY},
            {"programIds": [11, 12], "isExhausted": True},
            {"programIds": [11, 12], "nurtureCadence": "norm"},
            {"programIds": [11, 12], "statusNames": ["Invited"]},
        ],
    ),
    "custom-objects/boat_c": (["marketoGUID", "hull"], [{"updatedAt": JANUARY}, *LISTS]),
}


class Filled:
    """A lake with several files of every table."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'outhaul.db'}")
        self.database.migrate()
        self.catalog = Catalog(self.database, "default")
        self.lake = Lake(folder / "lake")
        self.context = Context(catalog=self.catalog, limits=Limits(), moment=NOON)
        store_entries(self.catalog, parse_catalog(CATALOG))
        days = [f"{NOON - timedelta(days=n):%Y-%m-%dT%H:%M:%SZ}" for n in range(8)]
        activity = {"primaryAttributeValueId": 31, "primaryAttributeValue": "Contact"}
        tables: list[tuple[Any, list[dict[str, Any]]]] = [
            (load_leads, [{"id": lead, "createdAt": days[1]} for lead in LEAD_IDS]),
            (
                load_list_members,
                [{"listId": n, "leadId": lead} for n in (1001, 1002) for lead in LEAD_IDS],
            ),
            (
                load_program_members,
                [
                    {"programId": n, "leadId": lead, "statusName": "Invited", "isExhausted": True}
                    | {"nurtureCadence": "norm"}
                    for n in (11, 12, 13)
                    for lead in LEAD_IDS[n % 2 :]
                ],
            ),
            (
                load_activities,
                [
                    {"marketoGUID": f"{kind}-{n}", "leadId": lead, "activityDate": day}
                    | activity
                    | {"activityTypeId": kind}
                    for n, day in enumerate(days)
                    for kind in (2, 10)
                    for lead in LEAD_IDS[n % 4 :][:1]
                ],
            ),
            (
                load_custom_objects,
                [{"marketoGUID": f"{n}b", "owner": LEAD_IDS[n]} for n in range(4)],
            ),
        ]
        for load, records in tables:
            more = {"api_name": "boat_c"} if load is load_custom_objects else {}
            # In two files, so that a partition has several.
            for some in (records[::2], records[1::2]):
                path = folder / "records.jsonl"
                path.write_text("".join(json.dumps(record) + "\n" for record in some))
                load(self.lake, self.catalog, path, NOON, lambda _: None, **more)

    def check(self, plan: Plan) -> None:
        kept = Plan.from_json(json.loads(json.dumps(plan.to_json())))
        named = {f"{table}/{path}" for table, path in kept.reading.files}
        with opened_files(self.lake.folder) as opened:
            content = rendered(kept, self.lake)
        assert opened == named
        assert len(content.splitlines()) > 1, "something is read"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    made = Filled(tmp_path_factory.mktemp("filled"))
    yield made
    made.database.close()


def cases() -> list[Any]:
    return [
        pytest.param(kind, fields, filters, id=f"{kind} by {', '.join(filters)}")
        for kind, (fields, every) in REQUESTS.items()
        for filters in every
    ]


@pytest.mark.parametrize(("kind", "fields", "filters"), cases())
@pytest.mark.parametrize("part_records", [1, 1_000])
def test_a_plan_names_the_files_that_are_opened(
    filled: Filled, kind: str, fields: list[str], filters: dict[str, Any], part_records: int
) -> None:
    body = {"fields": fields, "filter": filters}
    filled.check(planned(kind, body, filled.context, filled.lake, part_records))


def test_every_filter_of_every_kind_is_among_the_requests() -> None:
    asked = {
        (kind.partition("/")[0], name)
        for kind, (_, every) in REQUESTS.items()
        for filters in every
        for name in filters
    }
    assert asked == {(kind.name, entry.name) for kind in KINDS.values() for entry in kind.filters}


def test_clauses_within_others_are_pinned(filled: Filled) -> None:
    snapshots = Snapshots(filled.lake)
    asset = next(a for a in parse_catalog(CATALOG).assets if a.name == "Keen")
    rules = rules_of(filled.catalog, asset)
    nested = AnyOf((AnyOf((MemberOf(1001), OneOf("id", (LEAD_IDS[0],)))), InSmartList(rules, NOON)))
    base = planned(
        "leads", {"fields": ["id"], "filter": {"createdAt": JANUARY}}, filled.context, filled.lake
    )
    reading = cut(pin_reading(snapshots, LEADS, [nested], ["id"]), snapshots, LEADS, 1)
    tables = {file.table for file in reading.files}
    assert tables == {"leads", "list_members", "activities"}
    members = {file for file in reading.files if file.table == LIST_MEMBERS.name}
    assert {path.partition("/")[0] for _, path in members} == {"listId=1001", "listId=1002"}
    filled.check(replace(base, reading=reading))


def test_a_file_that_is_named_and_gone_is_missed(filled: Filled) -> None:
    plan = planned(
        "leads", {"fields": ["id"], "filter": {"staticListId": 1001}}, filled.context, filled.lake
    )
    (file, *_) = [file for file in plan.reading.files if file.table == LIST_MEMBERS.name]
    assert isinstance(file, TableFile)
    path = filled.lake.folder / file.table / file.path
    content = path.read_bytes()
    path.unlink()
    try:
        with pytest.raises(OSError, match="No such file"):
            rendered(plan, filled.lake)
    finally:
        path.write_bytes(content)
