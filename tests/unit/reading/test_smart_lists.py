import io
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from outhaul.catalog.entries import parse_catalog
from outhaul.export.plan import Plan, make_plan
from outhaul.export.render import render_part
from outhaul.export.request import read_request
from outhaul.kinds import find_kind
from outhaul.kinds.filter import Context
from outhaul.lake.snapshot import Lake

Load = Callable[[Lake, str, Iterable[Mapping[str, Any]]], None]

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
IDS = [1, 2, 3, 49_999, 50_000, 70_000, 100_001, 5_000_000, 5_000_001]
RULES = {
    "any": [
        {"activity": 10, "atLeast": 2, "inPast": {"amount": 3, "unit": "days"}},
        {"list": "Newsletter", "operator": "member"},
    ]
}
KEEN = [2, 50_000, 5_000_001]
MEMBERS = [3, 50_000, 70_000]


def fill(lake: Lake, load: Load) -> None:
    load(lake, "leads", [{"id": number, "email": f"{number}@example.com"} for number in IDS])
    load(lake, "list_members", [{"listId": 1001, "leadId": number} for number in MEMBERS])
    opened = [(number, days) for number in KEEN for days in (0, 1)]
    opened += [(1, 1), (1, 9), (5_000_000, 9), (5_000_000, 8)]  # too few, and too long ago
    load(
        lake,
        "activities",
        [
            {
                "marketoGUID": str(n),
                "leadId": number,
                "activityDate": (NOW - timedelta(days=days)).isoformat(),
                "activityTypeId": 10,
            }
            for n, (number, days) in enumerate(opened)
        ],
    )


def plan_of(lake: Lake, context: Context, part_records: int) -> Plan:
    smart_list = {"id": 1, "name": "Keen", "rules": RULES}
    context.catalog.store(parse_catalog({"smartLists": [smart_list]}))
    body = {"fields": ["id", "email"], "filter": {"smartListName": "Keen"}}
    at = Context(catalog=context.catalog, limits=context.limits, moment=NOW)
    request = read_request(find_kind("leads", at), body, at)
    return make_plan(find_kind("leads", at), request, at, lake, part_records)


def rendered(plan: Plan, lake: Lake) -> list[str]:
    parts = []
    for number in range(plan.part_count):
        target = io.BytesIO()
        render_part(plan.task(number, ""), lake, target, lambda: None)
        parts.append(target.getvalue().decode())
    return parts


def test_parts_of_any_size_make_the_same_file(lake: Lake, context: Context, load: Load) -> None:
    fill(lake, load)
    files = []
    for part_records in (1, 2, 1_000_000):
        plan = plan_of(lake, context, part_records)
        parts = rendered(plan, lake)
        files.append("".join(parts))
        # In any order, and of a plan that was kept.
        kept = Plan.from_json(json.loads(json.dumps(plan.to_json())))
        assert rendered(kept, lake)[::-1] == parts[::-1]
        assert (len(parts) == 1) == (part_records == 1_000_000)
    expected = sorted({*KEEN, *MEMBERS})
    lines = "".join(f"{number},{number}@example.com\n" for number in expected)
    assert files == ["id,email\n" + lines] * 3


def test_plan_renders_the_same_after_every_table_changed(
    lake: Lake, context: Context, load: Load
) -> None:
    fill(lake, load)
    plan = plan_of(lake, context, 2)
    before = rendered(plan, lake)
    load(lake, "leads", [{"id": number, "email": "new"} for number in [*IDS, 7, 8]])
    load(lake, "list_members", [{"listId": 1001, "leadId": number} for number in IDS])
    activity = {"leadId": 1, "activityDate": NOW.isoformat(), "activityTypeId": 10}
    load(lake, "activities", [{"marketoGUID": f"n{n}", **activity} for n in range(9)])
    assert rendered(plan, lake) == before
    assert rendered(plan_of(lake, context, 2), lake) != before


def test_nothing_loaded_makes_a_header(lake: Lake, context: Context) -> None:
    assert rendered(plan_of(lake, context, 10), lake) == ["id,email\n"]
