from datetime import UTC, datetime

import pytest

from outhaul import sample
from outhaul.catalog.entries import parse_catalog

UNTIL = datetime(2026, 1, 31, 12, tzinfo=UTC)
MEMBERS = list(sample.program_members(120, until=UNTIL))
BOATS = list(sample.boats(120, until=UNTIL))
LEADS = range(sample.FIRST_LEAD_ID, sample.FIRST_LEAD_ID + 120)


def test_the_same_every_time() -> None:
    assert list(sample.program_members(120, until=UNTIL)) == MEMBERS
    assert list(sample.boats(120, until=UNTIL)) == BOATS


def test_members_are_of_programs_and_leads_and_have_their_statuses() -> None:
    statuses = {program["id"]: program["statuses"] for program in sample.catalog()["programs"]}
    assert {member["programId"] for member in MEMBERS} == set(statuses)
    for member in MEMBERS:
        assert member["leadId"] in LEADS
        assert member["statusName"] in statuses[member["programId"]]
    keys = [(member["programId"], member["leadId"]) for member in MEMBERS]
    assert keys == sorted(set(keys))
    assert any(member["isExhausted"] for member in MEMBERS)


def test_boats_have_the_fields_of_their_type() -> None:
    (declared,) = parse_catalog(sample.catalog()).custom_object_types
    assert declared.api_name == sample.BOATS
    assert declared.lead_link == "leadId"
    for boat in BOATS:
        assert set(boat) == set(declared.fields)
        assert boat["leadId"] is None or boat["leadId"] in LEADS
    for name in ("marketoGUID", *declared.dedupe_fields):
        assert len({boat[name] for boat in BOATS}) == len(BOATS)


def test_where_time_ends_must_be_certain() -> None:
    for records in (sample.program_members, sample.boats):
        with pytest.raises(ValueError, match="time zone"):
            next(records(until=UNTIL.replace(tzinfo=None)))
