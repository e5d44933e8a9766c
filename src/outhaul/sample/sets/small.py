"""The set `small`: a few records of every kind, the same at any time, for assertions.

Lead 1 is Ada, who is in every list, program and table. Lead 12 has nothing but itself. Lead 13 is
deleted. Dates are in January 2026, one day a lead: lead 3 was created on the third.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from outhaul.sample.objects import BOATS
from outhaul.sample.records import DELETE_LEAD, NEW_LEAD, catalog
from outhaul.sample.sets.declaration import Of, Records, RecordSet

_PEOPLE = (
    ("Ada", "Lovelace", "Analytical Engines", "London"),
    ("Grace", "Hopper", "Compilers Inc.", "New York"),
    ("Jürgen", "Müller", "Müller & Söhne", "Köln"),
    ("Zoë", "Garçon", "Café, Bar & Co.", "Nîmes"),
    ("花子", "山田", "山田商店", "東京"),
    ("Ana", "O'Brien", 'The "Blue Door"', "Dublin"),
    ("Null", "Null", "null", "Austin"),
    ("Ines", "Costa", "Costa Lda.", "Porto"),
    ("Omar", "Haddad", "Haddad", "Amman"),
    (None, "Singh", "Singh Exports", "Pune"),
    ("Lena", "Virtanen", "", "Oulu"),
    ("Noah", "Quiet", "Quiet Ltd", "Leeds"),
)
_LAST = 12  # the lead without anything but itself
_DELETED = 13

# By type: the id and the value of the primary attribute, and the other attributes.
_ACTIVITIES: Sequence[tuple[int, int, str, Mapping[str, Any]]] = (
    (1, 1, "/pricing", {"Webpage URL": "/pricing", "Client IP Address": "203.0.113.7"}),
    (2, 5, "Contact us", {"Form Fields": 'a:1:{s:5:"Email";s:0:"";}', "Webpage ID": 3}),
    (13, 641, "City", {"Old Value": None, "New Value": "London", "Reason": 'step "2", done'}),
)


def _leads() -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "firstName": first,
            "lastName": last,
            "email": f"lead{number}@example.com",
            "company": company,
            "city": city,
            "leadScore": number * 10,
            "unsubscribed": number % 4 == 0,
            "dateOfBirth": f"19{60 + number}-02-28",
            "createdAt": _at(number, "08:00:00"),
            "updatedAt": _at(number + 10, "09:30:00"),
        }
        for number, (first, last, company, city) in enumerate(_PEOPLE, 1)
    ]


def _activities() -> list[dict[str, Any]]:
    found: list[tuple[int, int, int, str, dict[str, Any], str]] = [
        (
            number,
            NEW_LEAD,
            number,
            f"Lead {number}",
            {"Source Type": "Web form fillout"},
            "08:00:00",
        )
        for number in range(1, _LAST)
    ]
    found += [
        (number, type_id, value_id, value, dict(attributes), f"1{hour}:00:00")
        for number in range(1, 5)
        for hour, (type_id, value_id, value, attributes) in enumerate(_ACTIVITIES)
    ]
    found.append(
        (_DELETED, DELETE_LEAD, _DELETED, "Gone Lead", {"Remove from CRM": False}, "12:00:00")
    )
    return [
        {
            "marketoGUID": str(1000 + index),
            "leadId": lead,
            "activityDate": _at(lead, time),
            "activityTypeId": type_id,
            "campaignId": None,
            "primaryAttributeValueId": value_id,
            "primaryAttributeValue": value,
            "attributes": attributes,
        }
        for index, (lead, type_id, value_id, value, attributes, time) in enumerate(found, 1)
    ]


def _list_members() -> list[dict[str, int]]:
    lists = [entry["id"] for entry in catalog()["staticLists"]]
    return [{"listId": lists[0], "leadId": lead} for lead in (1, 2, 3, 4, 5)] + [
        {"listId": other, "leadId": 1} for other in lists[1:]
    ]


def _program_members() -> list[dict[str, Any]]:
    return [
        {
            "programId": program["id"],
            "leadId": lead,
            "program": program["name"],
            "statusName": program["statuses"][-1 if lead == 1 else 0],
            "membershipDate": _at(lead, "10:00:00"),
            "reachedSuccess": lead == 1,
            "acquiredBy": lead == 1,
            "createdAt": _at(lead, "10:00:00"),
            "updatedAt": _at(lead + 1, "10:00:00"),
        }
        for program in catalog()["programs"]
        for lead in (1, 2)
    ]


def _boats() -> list[dict[str, Any]]:
    names = ("Aurora", 'The "Gull"', "Sea, Sand & Sun")
    return [
        {
            "marketoGUID": f"00000000-0000-4000-8000-{number:012}",
            "leadId": number if number < len(names) else None,
            "hullNumber": f"OH-{number:05}",
            "boatName": name,
            "rig": "sloop",
            "lengthInFeet": 20.5 + number,
            "berths": number,
            "isForSale": number == 1,
            "createdAt": _at(number, "11:00:00"),
            "updatedAt": _at(number + 1, "11:00:00"),
        }
        for number, name in enumerate(names, 1)
    ]


def _records(_moment: datetime, _parameters: Mapping[str, int]) -> Records:
    return {
        Of.LIST_MEMBERS: _list_members(),
        Of.ACTIVITIES: _activities(),
        Of.PROGRAM_MEMBERS: _program_members(),
        Of.BOATS: _boats(),
        Of.LEADS: _leads(),
    }


def _at(day: int, time: str) -> str:
    return f"2026-01-{day:02}T{time}Z"


SMALL = RecordSet(
    name="small",
    help="A few records of every kind, which are the same at any time: 12 leads with ids from 1, "
    f"activities, members of lists and programs, and objects of the type {BOATS}. All dates are in "
    "January 2026.",
    catalog=lambda: [catalog()],
    records=_records,
    changed_at=datetime(2026, 1, 31, 12, tzinfo=UTC),
)
