"""The records of the sample subscription: a small company's leads, activities and lists.

The records depend only on the arguments: the same seed, counts and `until` give the same records,
and no clock is read. `names.json`, in this package, has names of people, cities and companies in
several scripts. It also has values that test readers of CSV: all characters that need quotes, and
empty texts, nulls and the text "null".

No person here is real. Mail addresses have the reserved domain `.example`, and the IP addresses of
visitors are from a range that is reserved for documentation.
"""

# ruff: noqa: S311 -- these records must be repeatable, and protect no secret

import json
import unicodedata
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from math import ceil
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeAlias

Record: TypeAlias = dict[str, Any]

SEED = 20_260_131
FIRST_LEAD_ID = 1001
LEAD_SPAN = 90 * 86_400  # seconds: leads are created this long before `until`, or later
ACTIVITY_SPAN = 30 * 86_400  # seconds: activities happen this long before `until`, or later

NEW_LEAD = 12
DELETE_LEAD = 37
# All have nine digits, so that they sort in the same order as texts and as numbers.
FIRST_GUID = 200_000_001
FIRST_GUID_OF_DELETIONS = 100_000_001

_TABLES: Record = json.loads(Path(__file__).with_name("names.json").read_text("utf-8"))
_PROGRAMS: list[Record] = _TABLES["catalog"]["programs"]
# Each program has one smart campaign.
_CAMPAIGNS: dict[str, int] = {
    campaign["program"]: campaign["id"] for campaign in _TABLES["catalog"]["campaigns"]
}
_SOURCES = ("Web form fillout", "List import", "New lead", "Web service API")


def leads(count: int = 5_000, *, until: datetime, seed: int = SEED) -> Iterator[Record]:
    """Yield leads by id, from `FIRST_LEAD_ID`, created in this order in the 90 days before `until`.

    All have the same keys, which are REST names of standard lead fields. Moments are texts in UTC.
    Raises `ValueError` if `until` has no time zone.
    """
    end = _seconds(until)
    for index in range(count):
        yield _lead(index, count, end, seed)


def activities(
    count: int = 100_000, *, until: datetime, lead_count: int = 5_000, seed: int = SEED
) -> Iterator[Record]:
    """Yield activities of `leads(lead_count)` in the 30 days before `until`, by date and GUID.

    No activity is before the creation of its lead. Each lead that is created in these days has a
    "New Lead" first, if `count` is large enough. Raises `ValueError` if `until` has no time zone,
    or with fewer than two leads.
    """
    end = _seconds(until)
    if lead_count < 2:  # noqa: PLR2004 -- one alone may be created too late to be active
        raise ValueError("activities need at least two leads")
    rng = Random(seed)
    moments = _arrivals(count, lead_count, end, seed)
    weights = [weight for weight, _ in _DETAILS.values()]
    for type_id in rng.choices(tuple(_DETAILS), weights, k=count - len(moments)):
        at = rng.randrange(end - ACTIVITY_SPAN, end)
        moments.append((at, type_id, _someone(rng, at, lead_count, end)))
    moments.sort()

    for guid, (at, type_id, index) in enumerate(moments, FIRST_GUID):
        lead_id = FIRST_LEAD_ID + index
        detail = _new_lead(lead_id, at, seed) if type_id == NEW_LEAD else _DETAILS[type_id][1](rng)
        yield {
            "marketoGUID": str(guid),
            "leadId": lead_id,
            "activityDate": _text(at),
            "activityTypeId": type_id,
            "campaignId": detail.campaign_id,
            "primaryAttributeValueId": detail.value_id,
            "primaryAttributeValue": detail.value,
            "attributes": detail.attributes,
            "actionResult": rng.choice(("succeeded", "skipped")) if _often(rng, 1) else None,
        }


def deletions(count: int = 20, *, until: datetime, seed: int = SEED) -> Iterator[Record]:
    """Yield activities that delete leads in the 30 days before `until`, by date and marketoGUID.

    The deleted leads have the ids before `FIRST_LEAD_ID`, and no other records. Raises `ValueError`
    if `until` has no time zone, or if there are fewer than `count` such ids.
    """
    end = _seconds(until)
    if count >= FIRST_LEAD_ID:
        raise ValueError(f"there are no {count} ids before {FIRST_LEAD_ID}")
    rng = Random(seed)
    moments = sorted(rng.randrange(end - ACTIVITY_SPAN, end) for _ in range(count))
    lead_ids = rng.sample(range(FIRST_LEAD_ID - count, FIRST_LEAD_ID), count)
    for guid, (at, lead_id) in enumerate(
        zip(moments, lead_ids, strict=True), FIRST_GUID_OF_DELETIONS
    ):
        yield {
            "marketoGUID": str(guid),
            "leadId": lead_id,
            "activityDate": _text(at),
            "activityTypeId": DELETE_LEAD,
            "campaignId": None,
            "primaryAttributeValueId": lead_id,
            "primaryAttributeValue": _person(lead_id, seed)[0].full_name,
            "attributes": {"Remove from CRM": _often(rng, 50)},
            "actionResult": None,
        }


def list_members(lead_count: int = 5_000, *, seed: int = SEED) -> Iterator[Record]:
    """Yield members of the static lists, by `listId` and `leadId`: a fifth of the leads in each."""
    rng = Random(seed)
    for static_list in _TABLES["catalog"]["staticLists"]:
        for index in sorted(rng.sample(range(lead_count), ceil(lead_count / 5))):
            yield {"listId": static_list["id"], "leadId": FIRST_LEAD_ID + index}


def catalog() -> dict[str, list[Record]]:
    """Return programs, forms, lists and campaigns, in the form of outhaul's catalog file."""
    everything: dict[str, list[Record]] = deepcopy(_TABLES["catalog"])
    for program in everything["programs"]:
        program["statuses"] = list(_TABLES["statuses"][program["channel"]])
    return everything


# Leads


class Person(NamedTuple):
    """The name of a lead, with the locale that it is from."""

    locale: Record
    first: str | None
    last: str

    @property
    def full_name(self) -> str:
        """First and last name, as in the field `mktoName`."""
        return f"{self.first} {self.last}" if self.first else self.last


def _person(lead_id: int, seed: int) -> tuple[Person, Random]:
    """Return a lead's person and its own random numbers: no lead depends on another."""
    rng = Random(seed << 32 | lead_id)
    locale = rng.choice(_TABLES["locales"])
    first = rng.choice(locale["firstNames"]) if _often(rng, 97) else None
    return Person(locale, first, rng.choice(locale["lastNames"])), rng


def _created(index: int, count: int, end: int, seed: int) -> int:
    """Return the time at which a lead is created, in a slice of time of its own.

    The order of the ids is thus the order of the dates.
    """
    fraction = Random(~(seed << 32 | index)).random()
    return end - LEAD_SPAN + int((index + fraction) * LEAD_SPAN / count)


def _lead(index: int, count: int, end: int, seed: int) -> Record:
    lead_id = FIRST_LEAD_ID + index
    person, rng = _person(lead_id, seed)
    locale = person.locale
    company = rng.choice(locale["companies"])
    city, state, postal_code = rng.choice(locale["cities"])
    created = _created(index, count, end, seed)
    source = rng.choice(_SOURCES)
    local_part = _latin(person.full_name) or "contact"
    bounced, unsubscribed, acquired = _often(rng, 2), _often(rng, 6), _often(rng, 70)
    born = date(1955, 1, 1) + timedelta(days=rng.randrange(18_000))
    return {
        "id": lead_id,
        "mktoName": person.full_name,
        "firstName": person.first,
        "lastName": person.last,
        "personType": "contact",
        "isLead": True,
        "isAnonymous": False,
        "mktoIsCustomer": _often(rng, 15),
        "email": f"{local_part}.{lead_id}@{company['domain']}" if _often(rng, 98) else None,
        "emailInvalid": bounced,
        "emailInvalidCause": "550 5.1.1 no such user, sorry" if bounced else None,
        "unsubscribed": unsubscribed,
        "unsubscribedReason": 'Clicked "unsubscribe"' if unsubscribed else None,
        "doNotCall": _often(rng, 4),
        "phone": f"{locale['phone']}{rng.randrange(100):02}",
        "mobilePhone": f"{locale['phone']}{rng.randrange(100):02}" if _often(rng, 50) else None,
        "title": rng.choice(_TABLES["titles"]),
        "dateOfBirth": born.isoformat() if _often(rng, 30) else None,
        "address": f"{rng.randrange(1, 200)} Harbour Road\n2nd floor, left",
        "city": city,
        "state": state,
        "country": locale["country"],
        "postalCode": postal_code,
        "company": company["name"],
        "website": f"https://www.{company['domain']}/",
        "industry": company["industry"],
        "numberOfEmployees": company["employees"],
        "annualRevenue": company["revenue"],
        "contactCompany": company["id"],
        "leadPerson": lead_id,
        "personPrimaryLeadInterest": lead_id,
        "leadPartitionId": 1,
        "leadSource": rng.choice(("Website", "Trade fair", "Referral, personal", None)),
        "leadStatus": rng.choice(("New", "Contacted", "Qualified", "Lost")),
        "leadScore": rng.randrange(-5, 150) if _often(rng, 90) else None,
        "urgency": round(rng.random() * 5, 2) if _often(rng, 20) else None,
        "originalSourceType": source,
        "registrationSourceType": source,
        "mktoPersonNotes": _TABLES["notes"][index % len(_TABLES["notes"])],
        "acquisitionProgramId": rng.choice(_PROGRAMS)["id"] if acquired else None,
        "mktoAcquisitionDate": _text(created) if acquired else None,
        "createdAt": _text(created),
        "updatedAt": _text(rng.randrange(created, end)),
    }


# Activities


class Detail(NamedTuple):
    """The fields of an activity that depend on its type."""

    campaign_id: int | None
    value_id: int
    value: str
    attributes: Record


def _arrivals(count: int, lead_count: int, end: int, seed: int) -> list[tuple[int, int, int]]:
    """Return a "New Lead" for each lead created in the activity span: date, type, lead's index."""
    dates = (_created(index, lead_count, end, seed) for index in range(lead_count))
    arrivals = [
        (at, NEW_LEAD, index) for index, at in enumerate(dates) if at >= end - ACTIVITY_SPAN
    ]
    return arrivals[: count // 4]


def _someone(rng: Random, at: int, lead_count: int, end: int) -> int:
    """Choose a lead created before `at`; early leads are chosen more often."""
    existing = (at - end + LEAD_SPAN) * lead_count // LEAD_SPAN
    return int(existing * rng.random() ** 1.5)


def _new_lead(lead_id: int, at: int, seed: int) -> Detail:
    person, rng = _person(lead_id, seed)
    attributes = {"Created Date": _text(at)[:10], "Source Type": rng.choice(_SOURCES)}
    return Detail(None, lead_id, person.full_name, attributes)


def _of(asset: Record, attributes: Record) -> Detail:
    """Return the details of an asset, named `program.asset`, or `asset` without a program."""
    program = asset.get("program")
    if program is None:
        return Detail(None, asset["id"], asset["name"], attributes)
    return Detail(_CAMPAIGNS[program], asset["id"], f"{program}.{asset['name']}", attributes)


def _visitor(rng: Random) -> Record:
    return {
        "Client IP Address": f"203.0.113.{rng.randrange(1, 255)}",
        "User Agent": rng.choice(_TABLES["browsers"])["userAgent"],
        "Referrer URL": "https://www.example.com/search?q=rope,rigging",
    }


def _visit_webpage(rng: Random) -> Detail:
    page = rng.choice(_TABLES["pages"])
    query = rng.choice(("", "utm_source=newsletter&utm_medium=email"))
    attributes = _visitor(rng) | {"Webpage URL": page["path"], "Query Parameters": query}
    return Detail(None, page["id"], page["path"], attributes)


def _fill_out_form(rng: Random) -> Detail:
    attributes = _visitor(rng) | {"Webpage ID": 3, "Form Fields": 'a:1:{s:5:"Email";s:0:"";}'}
    return _of(rng.choice(_TABLES["catalog"]["forms"]), attributes)._replace(campaign_id=None)


def _email(rng: Random) -> Detail:
    email = rng.choice(_TABLES["emails"])
    run, step = email["id"] + 50, email["id"] + 500
    return _of(email, {"Campaign Run ID": run, "Choice Number": 0, "Step ID": step})


def _open_email(rng: Random) -> Detail:
    detail = _email(rng)
    browser = rng.choice(_TABLES["browsers"])
    detail.attributes["Device"] = browser["device"]
    detail.attributes["Is Mobile Device"] = browser["mobile"]
    detail.attributes["Platform"] = browser["platform"]
    detail.attributes["User Agent"] = browser["userAgent"]
    return detail


def _click_email(rng: Random) -> Detail:
    detail = _open_email(rng)
    detail.attributes["Link"] = f"https://www.example.com{rng.choice(_TABLES['pages'])['path']}"
    return detail


def _change_data_value(rng: Random) -> Detail:
    changed = rng.choice(_TABLES["changes"])
    old, new = rng.sample([None, *changed["values"]], 2)
    reason = 'Changed by Smart Campaign "Tidy up", step 2'
    attributes = {"Old Value": old, "New Value": new, "Reason": reason, "Source": "Manual edit"}
    return Detail(_CAMPAIGNS["Website"], changed["id"], changed["field"], attributes)


def _change_score(rng: Random) -> Detail:
    old, change = rng.randrange(100), rng.choice((1, 5, 10, -5))
    attributes = {"Old Value": old, "New Value": old + change, "Change Value": f"{change:+}"}
    return Detail(_CAMPAIGNS["Website"], 146, "Lead Score", attributes)


def _add_to_list(rng: Random) -> Detail:
    return _of(rng.choice(_TABLES["catalog"]["staticLists"]), {"Source": "Marketo Flow Action"})


def _change_status(rng: Random) -> Detail:
    program = rng.choice(_PROGRAMS)
    statuses = ["Not in Program", *_TABLES["statuses"][program["channel"]]]
    new = rng.randrange(1, len(statuses))
    attributes = {
        "Old Status": statuses[new - 1],
        "Old Status ID": program["id"] * 10 + new - 1,
        "New Status": statuses[new],
        "New Status ID": program["id"] * 10 + new,
        "Acquired By": _often(rng, 10),
        "Success": new == len(statuses) - 1,
    }
    return Detail(_CAMPAIGNS[program["name"]], program["id"], program["name"], attributes)


# By the id of the type: its weight in the random choice, and the function for its details.
_DETAILS: dict[int, tuple[int, Callable[[Random], Detail]]] = {
    1: (28, _visit_webpage),
    2: (3, _fill_out_form),
    6: (21, _email),  # sent
    7: (20, _email),  # delivered
    10: (10, _open_email),
    11: (3, _click_email),
    13: (7, _change_data_value),
    22: (4, _change_score),
    24: (2, _add_to_list),
    104: (2, _change_status),
}


# Texts and random choices


def _seconds(until: datetime) -> int:
    if until.tzinfo is None:
        raise ValueError("until must have a time zone")
    return int(until.timestamp())


def _text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _often(rng: Random, percent: int) -> bool:
    return rng.random() * 100 < percent


def _latin(name: str) -> str:
    """Return the Latin letters and digits of a name, without accents, for a mail address."""
    letters = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    return ".".join("".join(c if c.isalnum() else " " for c in letters).split())
