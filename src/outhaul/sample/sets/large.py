"""The set `large`: as many records as told, made one after the other.

A record depends on its number and the seed only, so that no list of records is held in memory.
"""

# ruff: noqa: S311 -- these records must be repeatable, and protect no secret

import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

from outhaul.sample.records import ACTIVITY_SPAN, LEAD_SPAN, SEED, catalog
from outhaul.sample.sets.declaration import Of, Parameter, Records, RecordSet

_FIRST = ("Ada", "Björn", "Chloé", "Dmitri", "Emi", "Fatima", "Grace", "Hugo")
_LAST = ("O'Brien", "Müller", "King, Jr.", "山田", "Silva", "Null", "Nowak", "Haddad")
_CITIES = ("Köln", "Austin", "Nîmes", "東京", "São Paulo", "St. Paul")
_PAGES = ("/", "/pricing", "/docs?lang=fr&v=2", "/blog/rope,rigging")
_TYPES = (1, 1, 1, 6, 7, 10, 11, 13)
_FIRST_GUID = 1_000_000_001  # all have ten digits, and sort as texts and as numbers


def _leads(moment: datetime, count: int, seed: int) -> Iterator[dict[str, Any]]:
    rng, end = Random(seed), int(moment.timestamp())
    for number in range(1, count + 1):
        created = end - LEAD_SPAN + (number - 1) * LEAD_SPAN // count
        yield {
            "id": number,
            "firstName": rng.choice(_FIRST),
            "lastName": rng.choice(_LAST),
            "email": f"lead{number}@example.com",
            "city": rng.choice(_CITIES),
            "company": f"Company {rng.randrange(count // 10 + 1)}",
            "leadScore": rng.randrange(-5, 150),
            "unsubscribed": rng.randrange(20) == 0,
            "createdAt": _text(created),
            "updatedAt": _text(rng.randrange(created, end)),
        }


def _activities(moment: datetime, count: int, leads: int, seed: int) -> Iterator[dict[str, Any]]:
    rng, end = Random(seed + 1), int(moment.timestamp())
    for number in range(count):
        page = rng.randrange(len(_PAGES))
        yield {
            "marketoGUID": str(_FIRST_GUID + number),
            "leadId": rng.randrange(1, max(leads, 1) + 1),
            "activityDate": _text(end - ACTIVITY_SPAN + number * ACTIVITY_SPAN // count),
            "activityTypeId": rng.choice(_TYPES),
            "primaryAttributeValueId": page + 1,
            "primaryAttributeValue": _PAGES[page],
            "attributes": {"Step ID": rng.randrange(100), "Reason": 'Campaign "Spring", step 2'},
        }


def _list_members(leads: int) -> Iterator[dict[str, Any]]:
    list_id = catalog()["staticLists"][0]["id"]
    for lead in range(1, leads + 1, 5):
        yield {"listId": list_id, "leadId": lead}


def _program_members(moment: datetime, leads: int, seed: int) -> Iterator[dict[str, Any]]:
    rng, end = Random(seed + 2), int(moment.timestamp())
    program = catalog()["programs"][0]
    for lead in range(1, leads + 1, 10):
        joined = _text(end - rng.randrange(1, LEAD_SPAN // 3))
        yield {
            "programId": program["id"],
            "leadId": lead,
            "program": program["name"],
            "statusName": rng.choice(program["statuses"]),
            "membershipDate": joined,
            "createdAt": joined,
            "updatedAt": joined,
        }


def _boats(moment: datetime, leads: int, seed: int) -> Iterator[dict[str, Any]]:
    rng, end = Random(seed + 3), int(moment.timestamp())
    for lead in range(1, leads + 1, 20):
        built = _text(end - rng.randrange(1, LEAD_SPAN // 3))
        yield {
            "marketoGUID": str(uuid.UUID(int=lead, version=4)),
            "leadId": lead,
            "hullNumber": f"OH-{lead:010}",
            "lengthInFeet": rng.randrange(140, 600) / 10,
            "createdAt": built,
            "updatedAt": built,
        }


def _records(moment: datetime, parameters: Mapping[str, int]) -> Records:
    leads, seed = parameters["leads"], parameters["seed"]
    return {
        Of.LIST_MEMBERS: _list_members(leads),
        Of.ACTIVITIES: _activities(moment, parameters["activities"], leads, seed),
        Of.PROGRAM_MEMBERS: _program_members(moment, leads, seed),
        Of.BOATS: _boats(moment, leads, seed),
        Of.LEADS: _leads(moment, leads, seed),
    }


def _text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


LARGE = RecordSet(
    name="large",
    help="As many leads and activities as told, and members and objects of some of the leads. The "
    "same parameters and the same time give the same records.",
    catalog=lambda: [catalog()],
    records=_records,
    parameters={
        "leads": Parameter(default=10_000, help="Leads, created in the last 90 days."),
        "activities": Parameter(default=100_000, help="Activities of the last 30 days."),
        "seed": Parameter(default=SEED, help="Another seed gives other records."),
    },
)
