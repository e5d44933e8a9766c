"""Exports by smart list, and the look-ups of smart lists, over the sample."""

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.instance import (
    ACTIVITY_COUNT,
    LEAD_COUNT,
    NOW,
    Instance,
    refusal,
    result,
)
from tests.support.loads import load_leads

from outhaul import sample
from outhaul.catalog.entries import AssetType, parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.jobs.queue import Queue
from outhaul.lake.snapshot import Lake
from outhaul.smart_lists.stored import rules_of
from outhaul.worker import Worker

ASSETS = "/rest/asset/v1"
NAMES = ["Keen Readers", "Ready to Talk", "Silent Newcomers"]
LEADS = list(sample.leads(LEAD_COUNT, until=NOW))
ACTIVITIES = list(sample.activities(ACTIVITY_COUNT, until=NOW, lead_count=LEAD_COUNT))


def exported(instance: Instance, job: dict[str, Any]) -> list[int]:
    header, *lines = instance.file(job["exportId"]).text.splitlines()
    assert header == "id"
    assert job["numberOfRecords"] == len(lines)
    return [int(line) for line in lines]


def leads_of(instance: Instance, **smart_list: Any) -> list[int]:
    return exported(instance, instance.completed(fields=["id"], filter=smart_list))


def did(lead: dict[str, Any], activity_type: int, since: timedelta = timedelta(days=99)) -> int:
    return sum(
        activity["leadId"] == lead["id"]
        and activity["activityTypeId"] == activity_type
        and NOW - since <= datetime.fromisoformat(activity["activityDate"]) <= NOW
        for activity in ACTIVITIES
    )


def store(instance: Instance, rules: Any, list_id: int = 5_001) -> None:
    entries = {"smartLists": [{"id": list_id, "name": f"List {list_id}", "rules": rules}]}
    Catalog(instance.database, "default").store(parse_catalog(entries))


def begin(instance: Instance) -> None:
    """Begin a job as a worker does that ends as soon as it has a plan."""
    worker = Worker(instance.settings, clock=instance.clock)
    queue = Queue(instance.database, instance.settings, "gone")
    job = queue.claim(instance.clock())
    assert job is not None
    worker._plan(queue, job)
    worker.stop()
    worker.run()


# Exports


def test_smart_lists_of_the_sample_have_the_leads_that_fit(shared: Instance) -> None:
    readers = {
        member["leadId"] for member in sample.list_members(LEAD_COUNT) if member["listId"] == 1001
    }
    keen = [
        lead["id"]
        for lead in LEADS
        if lead["id"] in readers
        and did(lead, 10, timedelta(days=30)) >= 2
        and not lead["unsubscribed"]
    ]
    ready = [
        lead["id"]
        for lead in LEADS
        if lead["phone"]
        and not lead["doNotCall"]
        and ((lead["leadScore"] or 0) > 100 or did(lead, 2, timedelta(days=7)))
    ]
    silent = [
        lead["id"]
        for lead in LEADS
        if datetime.fromisoformat(lead["createdAt"]) >= NOW - timedelta(days=30)
        and not did(lead, 1)
    ]
    for name, expected in zip(NAMES, (keen, ready, silent), strict=True):
        assert expected, name
        assert leads_of(shared, smartListName=name) == expected
    assert leads_of(shared, smartListId=1001) == keen
    assert leads_of(shared, smartListName="Monthly Newsletter.Keen Readers") == keen


def test_fields_beside_those_that_the_rules_look_at(shared: Instance) -> None:
    job = shared.completed(fields=["email", "phone"], filter={"smartListId": 1002})
    assert job["numberOfRecords"] == len(leads_of(shared, smartListId=1002))


def test_custom_objects_of_the_leads_of_a_smart_list(shared: Instance) -> None:
    leads = set(leads_of(shared, smartListId=1002))
    kind = "customobjects/boat_c"
    given = {"smartListName": "Ready to Talk"}
    job = shared.completed(kind, fields=["marketoGUID", "leadId"], filter=given)
    lines = shared.file(job["exportId"], kind).text.splitlines()[1:]
    assert sorted(lines) == sorted(
        f"{boat['marketoGUID']},{boat['leadId']}"
        for boat in sample.boats(LEAD_COUNT, until=NOW)
        if boat["leadId"] in leads
    )
    assert lines


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"smartListId": 99}, "there is no smart list 99"),
        ({"smartListName": "Nobody"}, "there is no smart list 'Nobody'"),
    ],
)
def test_a_list_that_there_is_not(shared: Instance, given: Any, problem: str) -> None:
    (name,) = given
    assert refusal(shared.create(filter=given)) == (
        "1003",
        f"Invalid value for parameter 'filter.{name}': {problem}",
    )


def test_a_name_that_several_lists_have(instance: Instance) -> None:
    rules = {"all": [{"field": "email", "operator": "empty"}]}
    entries = [
        {"id": 7, "name": "Twins", "program": "Website", "rules": rules},
        {"id": 8, "name": "Twins", "rules": rules},
    ]
    Catalog(instance.database, "default").store(parse_catalog({"smartLists": entries}))
    code, message = refusal(instance.create(filter={"smartListName": "Twins"}))
    assert code == "1003"
    assert message.endswith("several smart lists have the name 'Twins': Website.Twins, Twins")
    assert instance.created(filter={"smartListName": "Website.Twins"})


def test_values_of_wrong_types(shared: Instance) -> None:
    assert refusal(shared.create(filter={"smartListId": "first"}))[0] == "1001"
    assert refusal(shared.create(filter={"smartListName": 7}))[0] == "1001"
    assert refusal(shared.create(filter={"smartListName": ""}))[0] == "1002"


def test_now_is_when_the_job_begins_processing(instance: Instance) -> None:
    store(
        instance,
        {"all": [{"field": "createdAt", "operator": "in past", "amount": 10, "unit": "days"}]},
    )
    export_id = instance.queued(fields=["id"], filter={"smartListId": 5_001})
    instance.clock.advance(days=6)
    instance.work(export_id, "leads")
    (job,) = result(instance.status(export_id))
    assert exported(instance, job) == [
        lead["id"]
        for lead in LEADS
        if datetime.fromisoformat(lead["createdAt"]) >= NOW - timedelta(days=4)
    ]


def test_leads_and_rules_that_came_after_the_job_began_are_not_seen(
    instance: Instance, tmp_path: Path
) -> None:
    data = instance.settings.lake_folder.parent
    shared_lake = (data / "lake").resolve()
    (data / "lake").unlink()
    shutil.copytree(shared_lake, data / "lake")
    rules = {"all": [{"field": "leadScore", "operator": "greater", "value": 140}]}
    store(instance, rules)
    expected = [lead["id"] for lead in LEADS if (lead["leadScore"] or 0) > 140]

    export_id = instance.queued(fields=["id"], filter={"smartListId": 5_001})
    begin(instance)

    path = tmp_path / "later.jsonl"
    later = [{"id": LEADS[0]["id"], "leadScore": 149}, {"id": 900_000, "leadScore": 149}]
    path.write_text("".join(json.dumps(lead) + "\n" for lead in later))
    catalog = Catalog(instance.database, "default")
    load_leads(Lake(data / "lake" / "default"), catalog, path, NOW, lambda _: None)
    store(instance, {"all": [{"field": "leadScore", "operator": "empty"}]})

    # The lease of the worker that stopped runs out, and another renders what was planned.
    instance.clock.advance(hours=1)
    instance.work(export_id, "leads")
    (job,) = result(instance.status(export_id))
    assert exported(instance, job) == expected

    store(instance, rules)
    again = leads_of(instance, smartListId=5_001)
    assert set(again) == {*expected, LEADS[0]["id"], 900_000}


def test_rules_that_no_longer_fit_are_told_when_a_job_is_made(instance: Instance) -> None:
    store(instance, {"all": [{"field": "title", "operator": "contains", "value": "a"}]})
    assert instance.created(filter={"smartListId": 5_001})
    field = {
        "id": 99_000,
        "displayName": "Title",
        "dataType": "integer",
        "rest": {"name": "title", "readOnly": False},
    }
    Catalog(instance.database, "default").store(parse_catalog({"result": [field]}))
    code, message = refusal(instance.create(filter={"smartListId": 5_001}))
    assert code == "1003"
    assert "smart list 'List 5001': rules.all[0].operator: 'contains' does not fit" in message
    (shown,) = result(get(instance, "smartList/5001.json", includeRules="true"))
    assert "rules" not in shown


# Look-ups


def get(instance: Instance, path: str, **params: Any) -> Any:
    return instance.get(f"{ASSETS}/{path}", user="nobody", params=params)


def test_browsing(shared: Instance) -> None:
    found = result(get(shared, "smartLists.json"))
    assert [entry["name"] for entry in found] == NAMES
    assert all("rules" not in entry for entry in found)
    assert found[0]["folder"]["type"] == "Program"
    assert found[0]["createdAt"] == "2025-05-19T08:00:00Z+0000"
    assert result(get(shared, "smartLists.json", offset=1, maxReturn=1)) == found[1:2]
    assert "result" not in get(shared, "smartLists.json", offset=3).json()
    late = result(get(shared, "smartLists.json", earliestUpdatedAt="2025-12-01T00:00:00Z"))
    assert late == found[1:2]


def test_by_name(shared: Instance) -> None:
    (found,) = result(get(shared, "smartList/byName.json", name="Ready to Talk"))
    assert found["id"] == 1002
    nothing = get(shared, "smartList/byName.json", name="Nobody").json()
    assert nothing["success"] is True
    assert "result" not in nothing
    assert nothing["warnings"] == ["No assets found for the given search criteria."]
    assert refusal(get(shared, "smartList/byName.json"))[0] == "1002"


def test_by_id_without_and_with_rules(shared: Instance) -> None:
    (plain,) = result(get(shared, "smartList/1002.json"))
    assert "rules" not in plain
    assert result(get(shared, "smartList/1002.json", includeRules="false")) == [plain]
    (found,) = result(get(shared, "smartList/1002.json", includeRules="true"))
    rules = found.pop("rules")
    assert found == plain
    assert rules["filterMatchType"] == "Advanced"
    assert rules["filterCustomRuleLogic"] == "1 and 2 and (3 or 4)"
    assert rules["triggers"] == []
    assert [(entry["id"], entry["name"], entry["operator"]) for entry in rules["filters"]] == [
        (1, "Phone Number", "not empty"),
        (2, "Do Not Call", "is"),
        (3, "Lead Score", "greater"),
        (4, "Fill Out Form", "is"),
    ]
    assert rules["filters"][1]["conditions"][0]["values"] == ["false"]
    assert [
        (asked["activityAttributeName"], asked["operator"], asked["values"])
        for asked in rules["filters"][3]["conditions"]
    ] == [
        ("Min. Number of Times", "at least", ["1"]),
        ("Date of Activity", "in past", ["7 days"]),
    ]


def test_flat_rules_match_all_or_any(instance: Instance) -> None:
    (found,) = result(get(instance, "smartList/1001.json", includeRules="true"))
    assert found["rules"]["filterMatchType"] == "All"
    assert "filterCustomRuleLogic" not in found["rules"]
    store(
        instance,
        {
            "any": [
                {"list": 1001, "operator": "not member"},
                {
                    "activity": 2,
                    "primaryAttributeValueIds": [1001],
                    "atLeast": 1,
                    "atMost": 4,
                    "between": ["2026-01-01", "2026-01-31"],
                },
            ]
        },
    )
    (found,) = result(get(instance, "smartList/5001.json", includeRules="true"))
    assert found["rules"]["filterMatchType"] == "Any"
    listed, filled = found["rules"]["filters"]
    assert listed["operator"] == "not member"
    assert listed["conditions"][0]["values"] == ["Monthly Newsletter.Newsletter Readers"]
    assert [asked["values"] for asked in filled["conditions"]] == [
        ["1001"],
        ["1"],
        ["4"],
        ["2026-01-01", "2026-01-31"],
    ]
    assert filled["conditions"][0]["isPrimary"] is True


def test_what_there_is_not_and_what_is_not_allowed(shared: Instance) -> None:
    body = get(shared, "smartList/99.json").json()
    assert body["success"] is True
    assert "result" not in body
    assert refusal(get(shared, "smartList/many.json"))[0] == "1001"
    assert refusal(get(shared, "smartList/1001.json", includeRules="perhaps"))[0] == "1001"
    for path in ("smartLists.json", "smartList/1001.json", "smartList/byName.json"):
        assert refusal(shared.get(f"{ASSETS}/{path}", user="leads"))[0] == "603"


def test_lists_of_the_sample_fit_its_catalog(shared: Instance) -> None:
    catalog = Catalog(shared.database, "default")
    lists = list(catalog.assets(AssetType.SMART_LIST))
    assert [entry.name for entry in lists] == NAMES
    assert all(rules_of(catalog, entry).rules for entry in lists)
