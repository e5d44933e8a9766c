"""Plans and files of program members, beside which stand leads, and of custom objects."""

import io
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.loads import (
    load_custom_objects,
    load_leads,
    load_list_members,
    load_program_members,
)

from outhaul.catalog.entries import parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.errors import ApiError
from outhaul.export.plan import Plan, make_plan
from outhaul.export.render import render_part
from outhaul.export.request import read_request
from outhaul.kinds import find_kind
from outhaul.kinds.filter import Context
from outhaul.lake.clauses import Between
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import LEADS_A_RANGE
from outhaul.limits import Limits
from outhaul.loading.loads import Loaded
from outhaul.records.readers import FileError

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)
FAR = 3 * LEADS_A_RANGE
YEAR = {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-31T23:59:59Z"}
CATALOG = {
    "programs": [{"id": 11, "name": "Fair", "statuses": ["Invited"]}],
    "staticLists": [{"id": 1001, "name": "Newsletter"}],
    "customObjects": [
        {
            "apiName": "boat_c",
            "dedupeFields": ["hull"],
            "relationships": [{"field": "owner", "relatedTo": {"name": "Lead", "field": "Id"}}],
            "fields": [
                {"name": "hull", "dataType": "string"},
                {"name": "for", "dataType": "boolean"},
            ],
        },
        {
            "apiName": "crew_c",
            "relationships": [{"field": "mail", "relatedTo": {"name": "Lead", "field": "email"}}],
            "fields": [{"name": "mail", "dataType": "email"}],
        },
    ],
}
LOADS: Mapping[str, Any] = {
    "leads": load_leads,
    "list-members": load_list_members,
    "program-members": load_program_members,
    "boat_c": load_custom_objects,
    "crew_c": load_custom_objects,
}


class Subscription:
    """A catalog and a lake of their own."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'outhaul.db'}")
        self.database.migrate()
        self.catalog = Catalog(self.database, "default")
        self.catalog.store(parse_catalog(CATALOG))
        self.context = Context(catalog=self.catalog, limits=Limits(), moment=MOMENT)
        self.lake = Lake(folder / "lake")
        self.folder = folder

    def load(self, what: str, *records: Mapping[str, Any], **more: Any) -> Loaded:
        path = self.folder / "records.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
        if what.endswith("_c"):
            more["api_name"] = what
        loaded = LOADS[what](self.lake, self.catalog, path, MOMENT, lambda _: None, **more)
        assert isinstance(loaded, Loaded)
        return loaded

    def plan(self, job_kind: str, part_records: int = 1_000, **body: Any) -> Plan:
        kind = find_kind(job_kind, self.context)
        request = read_request(kind, body, self.context)
        plan = make_plan(kind, request, self.context, self.lake, part_records)
        assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
        return plan

    def lines(self, plan: Plan) -> list[str]:
        target = io.BytesIO()
        for number in range(plan.part_count):
            render_part(plan.task(number, ""), self.lake, target, lambda: None)
        return target.getvalue().decode().splitlines()

    def export(self, job_kind: str, part_records: int = 1_000, **body: Any) -> list[str]:
        return self.lines(self.plan(job_kind, part_records, **body))


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Subscription]:
    subscription = Subscription(tmp_path)
    yield subscription
    subscription.database.close()


def member(program: int, lead: int, **more: Any) -> dict[str, Any]:
    return {"programId": program, "leadId": lead, **more}


def test_a_part_reads_the_ranges_of_leads_that_it_touches(there: Subscription) -> None:
    there.load("leads", *({"id": lead, "email": f"{lead}@x.yz"} for lead in (1, FAR, 2 * FAR)))
    there.load("program-members", member(11, FAR), member(12, 1), member(12, 2))
    plan = there.plan("program-members", 1, fields=["email"], filter={"programIds": [11, 12]})
    assert plan.reading.joined is not None
    paths = [plan.reading.joined.paths(part.ids) for part in plan.reading.parts]
    assert [len(each) for each in paths] == [1, 1, 0]
    assert paths[0] != paths[1]
    assert there.lines(plan) == [
        "programId,email",
        f"11,{FAR}@x.yz",
        "12,1@x.yz",
        "12,null",
    ]


def test_a_large_program_is_cut_into_ranges_of_lead_ids(there: Subscription) -> None:
    there.load("program-members", *(member(12, lead) for lead in range(5, 15)))
    there.load("program-members", *(member(12, lead) for lead in (3, 20)))
    plan = there.plan("program-members", 4, fields=["leadId"], filter={"programId": 12})
    assert [part.slice for part in plan.reading.parts] == [
        Between("leadId", 3, 8),
        Between("leadId", 9, 14),
        Between("leadId", 15, 20),
    ]
    assert there.lines(plan) == ["leadId", *map(str, sorted([3, 20, *range(5, 15)]))]


def test_without_fields_of_leads_no_leads_are_read(there: Subscription) -> None:
    there.load("leads", {"id": 1})
    there.load("program-members", member(11, 1, isExhausted=True))
    plan = there.plan("program-members", fields=["isExhausted"], filter={"programId": 11})
    assert plan.reading.joined is None
    assert there.lines(plan) == ["isExhausted", "1"]


def test_names_that_both_have_are_the_members(there: Subscription) -> None:
    there.load("leads", {"id": 1, "createdAt": "2020-01-01", "isLead": True})
    there.load("program-members", member(11, 1, createdAt="2026-01-05"), member(11, 2))
    lines = there.export(
        "program-members", fields=["id", "isLead", "createdAt"], filter={"programId": 11}
    )
    assert lines[1:] == ["1,true,2026-01-05T00:00:00Z", "null,null,null"]


def test_no_leads_and_no_members(there: Subscription) -> None:
    wanted: dict[str, Any] = {"fields": ["leadId", "email"], "filter": {"programId": 11}}
    assert there.export("program-members", **wanted) == ["leadId,email"]
    there.load("program-members", member(11, 1))
    assert there.export("program-members", **wanted) == ["leadId,email", "1,null"]


def test_members_merge_by_program_and_lead(there: Subscription) -> None:
    first = there.load("program-members", member(11, 1, statusName="A"), member(12, 1))
    again = there.load("program-members", member(11, 1, statusName="B"), member(12, 1))
    assert (first.merged.added, again.merged.changed, again.merged.unchanged) == (2, 1, 1)
    assert there.catalog.member_statuses() == {"A", "B", "Invited"}
    assert [there.catalog.has_program(n) for n in (11, 12, 13)] == [True, True, False]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"leadId": 1}, "programId: missing"),
        (member(11, 0), "leadId: '0' is not a positive integer"),
        (member(11, 1, isExhausted="maybe"), "isExhausted: 'maybe' is not true or false"),
        (member(11, 1, favourite=1), "no field 'favourite'; --infer-fields would add it"),
    ],
)
def test_members_that_do_not_fit(there: Subscription, record: dict[str, Any], reason: str) -> None:
    with pytest.raises(FileError, match=reason):
        there.load("program-members", record)
    assert there.catalog.member_statuses() == {"Invited"}


def test_inferred_columns_of_members(there: Subscription) -> None:
    loaded = there.load("program-members", member(11, 1, favourite=1), infer=True)
    assert list(loaded.inferred) == ["favourite"]


@pytest.mark.parametrize("part_records", [1, 1_000])
def test_custom_objects_by_guid_and_list(there: Subscription, part_records: int) -> None:
    there.load("list-members", {"listId": 1001, "leadId": 7})
    there.load(
        "boat_c",
        *(
            {"marketoGUID": guid, "hull": guid, "owner": owner, "for": True}
            for guid, owner in (("é", 7), ("b", 7), ("B", 8), ("a", None))
        ),
    )
    fields = ["marketoGUID", "for", "owner"]
    lines = there.export(
        "custom-objects/boat_c", part_records, fields=fields, filter={"updatedAt": YEAR}
    )
    assert lines[1:] == ["B,true,8", "a,true,null", "b,true,7", "é,true,7"]
    lines = there.export(
        "custom-objects/boat_c", part_records, fields=fields, filter={"staticListId": 1001}
    )
    assert lines[1:] == ["b,true,7", "é,true,7"]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"hull": "H"}, "marketoGUID: missing"),
        ({"marketoGUID": "a"}, "hull: missing"),
        ({"marketoGUID": "a", "hull": "H", "sails": 2}, "have no column 'sails'"),
        ({"marketoGUID": "a", "hull": "H", "owner": "me"}, "owner: 'me' is not an integer"),
    ],
)
def test_custom_objects_that_do_not_fit(
    there: Subscription, record: dict[str, Any], reason: str
) -> None:
    with pytest.raises(FileError, match=reason):
        there.load("boat_c", record)


def test_a_type_that_is_not_linked_by_id(there: Subscription) -> None:
    there.load("crew_c", {"marketoGUID": "a", "mail": "a@x.yz"})
    lines = there.export("custom-objects/crew_c", fields=["mail"], filter={"updatedAt": YEAR})
    assert lines == ["mail", "a@x.yz"]
    with pytest.raises(ApiError, match="not linked to leads by their id"):
        there.plan("custom-objects/crew_c", fields=["mail"], filter={"staticListId": 1001})
