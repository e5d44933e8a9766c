import json
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from outhaul import sample

STANDARD = Path(sample.__file__).parents[1] / "catalog" / "standard"
UNTIL = datetime(2026, 1, 31, 12, tzinfo=UTC)
TEXT = "%Y-%m-%dT%H:%M:%SZ"


def instant(text: str) -> datetime:
    return datetime.strptime(text, TEXT).replace(tzinfo=UTC)


def standard(name: str) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = json.loads((STANDARD / name).read_text("utf-8"))["result"]
    return result


@pytest.fixture(scope="module")
def leads() -> list[sample.Record]:
    return list(sample.leads(800, until=UNTIL))


@pytest.fixture(scope="module")
def activities() -> list[sample.Record]:
    return list(sample.activities(20_000, until=UNTIL, lead_count=800))


def of_type(activities: list[sample.Record], *type_ids: int) -> list[sample.Record]:
    found = [activity for activity in activities if activity["activityTypeId"] in type_ids]
    assert found
    return found


def primary(activities: list[sample.Record]) -> set[tuple[int, str]]:
    return {(a["primaryAttributeValueId"], a["primaryAttributeValue"]) for a in activities}


def full_names(kind: str) -> set[tuple[int, str]]:
    return {
        (
            asset["id"],
            f"{asset['program']}.{asset['name']}" if "program" in asset else asset["name"],
        )
        for asset in sample.catalog()[kind]
    }


def test_same_arguments_same_records(
    leads: list[sample.Record], activities: list[sample.Record]
) -> None:
    assert list(sample.leads(800, until=UNTIL)) == leads
    assert list(sample.activities(20_000, until=UNTIL, lead_count=800)) == activities
    assert list(sample.deletions(until=UNTIL)) == list(sample.deletions(until=UNTIL))
    assert list(sample.list_members(50)) == list(sample.list_members(50))
    assert sample.catalog() == sample.catalog()


def test_another_seed_gives_others(leads: list[sample.Record]) -> None:
    assert list(sample.leads(800, until=UNTIL, seed=1)) != leads
    members = list(sample.list_members(50))
    assert list(sample.list_members(50, seed=1)) != members
    deletions = list(sample.deletions(until=UNTIL))
    assert list(sample.deletions(until=UNTIL, seed=1)) != deletions


def test_catalog_cannot_be_changed_through_its_copy() -> None:
    sample.catalog()["programs"].clear()
    assert sample.catalog()["programs"]


@pytest.mark.parametrize("make", [sample.leads, sample.activities, sample.deletions])
def test_until_needs_a_time_zone(make: Any) -> None:
    with pytest.raises(ValueError, match="time zone"):
        next(make(until=UNTIL.replace(tzinfo=None)))


def test_until_in_another_zone_is_the_same_instant() -> None:
    elsewhere = UNTIL.astimezone(timezone(timedelta(hours=9)))
    assert list(sample.leads(3, until=elsewhere)) == list(sample.leads(3, until=UNTIL))


def test_activities_need_leads() -> None:
    with pytest.raises(ValueError, match="two leads"):
        next(sample.activities(until=UNTIL, lead_count=1))


@pytest.mark.parametrize("count", [0, 1, 7, 1_000])
def test_counts(count: int) -> None:
    assert len(list(sample.deletions(count, until=UNTIL))) == count
    assert len(list(sample.leads(count, until=UNTIL))) == count
    assert len(list(sample.activities(count, until=UNTIL))) == count


def test_leads_are_in_order_and_in_bounds(leads: list[sample.Record]) -> None:
    assert [lead["id"] for lead in leads] == list(range(1001, 1801))
    first = UNTIL - timedelta(days=90)
    for lead in leads:
        assert first <= instant(lead["createdAt"]) <= instant(lead["updatedAt"]) < UNTIL
    assert [lead["createdAt"] for lead in leads] == sorted(lead["createdAt"] for lead in leads)
    assert instant(leads[0]["createdAt"]) < first + timedelta(days=1)
    assert instant(leads[-1]["createdAt"]) > UNTIL - timedelta(days=1)


def test_lead_values_fit_their_standard_fields(leads: list[sample.Record]) -> None:
    fields = {field["rest"]["name"]: field for field in standard("lead_fields.json")}
    types: dict[str, type | tuple[type, ...]] = {
        "boolean": bool,
        "integer": int,
        "score": int,
        "reference": int,
        "float": (int, float),
        "currency": (int, float),
    }
    for lead in leads:
        assert lead.keys() == leads[0].keys() <= fields.keys()
        for name, value in lead.items():
            if value is None:
                continue
            field = fields[name]
            assert isinstance(value, types.get(field["dataType"], str)), (name, value)
            assert len(str(value)) <= field.get("length", 10_000)
            if field["dataType"] == "datetime":
                assert instant(str(value)) < UNTIL


def test_leads_hold_what_is_hard_to_write(leads: list[sample.Record]) -> None:
    texts = [value for lead in leads for value in lead.values() if isinstance(value, str)]
    for mark in (",", '"', "\n", "\t", "\\", "🎉", "佐藤", "Київ", "شركة", "शर्मा"):
        assert any(mark in text for text in texts), mark
    assert "" in texts
    assert "null" in texts
    for name in ("firstName", "email", "leadScore", "mktoPersonNotes", "annualRevenue"):
        assert any(lead[name] is None for lead in leads), name
    emails = [lead["email"] for lead in leads if lead["email"]]
    assert len(set(emails)) == len(emails)
    assert all(email.isascii() and email.endswith(".example") for email in emails)


def test_activities_are_in_order_and_in_bounds(activities: list[sample.Record]) -> None:
    dates = [instant(activity["activityDate"]) for activity in activities]
    assert dates == sorted(dates)
    assert UNTIL - timedelta(days=30) <= dates[0] <= dates[-1] < UNTIL
    assert {date.date() for date in dates} >= {
        (UNTIL - timedelta(days=n)).date() for n in range(30)
    }
    guids = [activity["marketoGUID"] for activity in activities]
    assert all(guid.isdigit() and len(guid) == 9 for guid in guids)
    assert all(one < next_ for one, next_ in pairwise(guids))


def test_no_lead_is_active_before_it_is_created(
    leads: list[sample.Record], activities: list[sample.Record]
) -> None:
    created = {lead["id"]: lead["createdAt"] for lead in leads}
    names = {lead["id"]: lead["mktoName"] for lead in leads}
    for activity in activities:
        assert activity["activityDate"] >= created[activity["leadId"]]
    new = of_type(activities, 12)
    assert len({activity["leadId"] for activity in new}) == len(new)
    for activity in new:
        assert activity["activityDate"] == created[activity["leadId"]]
        assert activity["primaryAttributeValueId"] == activity["leadId"]
        assert activity["primaryAttributeValue"] == names[activity["leadId"]]


def test_activities_have_the_types_of_the_catalog(activities: list[sample.Record]) -> None:
    attributes = {
        kind["id"]: {attribute["name"] for attribute in kind["attributes"]}
        for kind in standard("activity_types.json")
    }
    seen = {activity["activityTypeId"] for activity in activities}
    assert seen == {1, 2, 6, 7, 10, 11, 12, 13, 22, 24, 104}
    for activity in activities:
        assert activity.keys() == activities[0].keys()
        assert activity["attributes"].keys() <= attributes[activity["activityTypeId"]]
        assert activity["actionResult"] in {None, "succeeded", "skipped"}


def test_primary_attributes_are_of_the_catalog(activities: list[sample.Record]) -> None:
    fields = {(field["id"], field["displayName"]) for field in standard("lead_fields.json")}
    programs = {(program["id"], program["name"]) for program in sample.catalog()["programs"]}
    assert primary(of_type(activities, 13, 22)) <= fields
    assert primary(of_type(activities, 22)) == {(146, "Lead Score")}
    assert primary(of_type(activities, 104)) == programs
    assert primary(of_type(activities, 24)) == full_names("staticLists")
    assert primary(of_type(activities, 2)) == full_names("forms")
    for activity in of_type(activities, 6, 7, 10, 11):
        name = activity["primaryAttributeValue"]
        assert any(name.startswith(f"{program}.") for _, program in programs)


def test_deletions_are_of_leads_that_are_in_nothing_else(
    leads: list[sample.Record], activities: list[sample.Record]
) -> None:
    deletions = list(sample.deletions(until=UNTIL))
    dates = [instant(deletion["activityDate"]) for deletion in deletions]
    assert dates == sorted(dates)
    assert UNTIL - timedelta(days=30) <= dates[0] <= dates[-1] < UNTIL
    gone = {deletion["leadId"] for deletion in deletions}
    assert gone == set(range(981, 1001))
    assert not gone & {lead["id"] for lead in leads}
    (declared,) = (kind for kind in standard("activity_types.json") if kind["id"] == 37)
    attributes = {attribute["name"] for attribute in declared["attributes"]}
    for deletion in deletions:
        assert deletion.keys() == activities[0].keys()
        assert deletion["activityTypeId"] == 37
        assert deletion["primaryAttributeValueId"] == deletion["leadId"]
        assert deletion["attributes"].keys() <= attributes
    guids = [record["marketoGUID"] for record in (*deletions, *activities)]
    assert len(set(guids)) == len(guids)


def test_no_more_leads_are_deleted_than_there_are_ids() -> None:
    with pytest.raises(ValueError, match="no 1001 ids before 1001"):
        next(sample.deletions(1_001, until=UNTIL))


def test_catalog_refers_to_itself() -> None:
    catalog = sample.catalog()
    programs = {program["name"] for program in catalog["programs"]}
    types = catalog.pop("customObjects")
    assert [declared["apiName"] for declared in types] == [sample.BOATS]
    for kind, assets in catalog.items():
        assert len({asset["id"] for asset in assets}) == len(assets), kind
        assert len({asset["name"] for asset in assets}) == len(assets), kind
        assert all(asset.get("program", next(iter(programs))) in programs for asset in assets)
    assert {program["type"] for program in catalog["programs"]} == {
        "Default",
        "Email",
        "Event",
        "Event with webinar",
        "Engagement",
    }


def test_list_members_are_leads_in_lists() -> None:
    members = [(member["listId"], member["leadId"]) for member in sample.list_members(500)]
    assert members == sorted(set(members))
    assert {list_id for list_id, _ in members} == {
        static_list["id"] for static_list in sample.catalog()["staticLists"]
    }
    assert all(1001 <= lead_id < 1501 for _, lead_id in members)
