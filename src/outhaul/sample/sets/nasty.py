"""The set `nasty`: what a reader of exports must survive, the same at any time.

Each lead has one odd text, in its first name, its company and its notes, and `lastName` says what
is odd about it. The odd dates, numbers, ids and names of fields are in leads of their own.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from outhaul.sample.objects import BOATS
from outhaul.sample.records import catalog
from outhaul.sample.sets.declaration import Of, Records, RecordSet

LONG = 1_000_000  # characters

TEXTS: Mapping[str, str | None] = {
    "quote": 'The "Gull"',
    "quotes only": '""',
    "one quote": '"',
    "apostrophe": "O'Brien",
    "comma": "King, Jr.",
    "semicolon": "a;b",
    "tab": "a\tb",
    "backslash": "a\\nb\\",
    "CR": "a\rb",
    "LF": "a\nb",
    "CRLF": "a\r\nb",
    "ends with LF": "a\n",
    "empty line": "a\n\nb",
    "NUL": "a\0b",
    "control characters": "\x01\x07\x0b\x0c\x1a\x1b\x1e\x7f\x85",
    "line separator": "a\u2028b\u2029c",
    "byte order mark": "\ufeffa",
    "non-breaking space": "\xa0a\xa0",
    "zero width": "a\u200b\u200db",
    "right to left": "שלום, עולם",
    "direction override": "a\u202eb\u202c",
    "emoji": "👩🏽‍🚀🇩🇪😀",
    "combining": "e\u0301 a\u0308\u0323",
    "composed": "é",
    "beyond 16 bits": "𝔘𠜎",
    "last character": "\U0010ffff",
    "leading zeros": "00123",
    "spaces around": "  a  ",
    "a space": " ",
    "empty": "",
    "null": None,
    "null as text": "null",
    "quoted null": '"null"',
    "NULL": "NULL",
    "backslash N": "\\N",
    "NaN": "NaN",
    "true": "true",
    "a number": "1.0",
    "large number": "1e400",
    "a date": "2026-02-30",
    "a datetime": "2026-01-31T00:00:00+0000",
    "formula": "=1+1",
    "formula with plus": "+1+1",
    "formula with minus": "-1+1",
    "formula with at": "@SUM(1)",
    "formula with a quote": '=HYPERLINK("https://example.com","a")',
    "JSON": '{"a":[1,"b"]}',
    "HTML": "<script>alert('&amp;')</script>",
    "SQL": "'; DROP TABLE leads; --",
    "percent": "%s%n%00",
    "comment": "# a",
    "long": "0123456789" * (LONG // 10),
    "long, with quotes": '",\n"' * (LONG // 4),
}
"""Odd texts, by what is odd about them."""

DATES = ("0001-01-01", "1582-10-15", "1900-02-28", "1970-01-01", "2000-02-29", "9999-12-31")

MOMENTS = (
    "1969-12-31T23:59:59Z",  # before the epoch
    "1970-01-01T00:00:00Z",
    "2000-02-29T12:00:00Z",
    "2016-12-31T23:59:59Z",  # before a leap second, and after it
    "2017-01-01T00:00:00Z",
    "2026-03-08T07:59:59Z",  # before and after clocks change in Chicago
    "2026-03-08T08:00:00Z",
    "2026-11-01T06:59:59Z",
    "2026-11-01T07:00:00Z",
    "2038-01-19T03:14:08Z",  # beyond 32 bits
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
)

INTEGERS = (0, -1, 2**31 - 1, -(2**31), 2**31, 2**53, 2**53 + 1, 2**63 - 1, -(2**63))

FLOATS = (0.0, -0.0, 0.1, 1e21, 5e-324, -1.7976931348623157e308, 1.7976931348623157e308, 1 / 3)

IDS = (2**31 - 1, 2**31, 2**32, 2**53 - 1, 2**53, 2**53 + 1)
"""Ids of leads at the bounds of the integers of databases and of JavaScript."""

FIELDS = (
    "two words",
    "UPPER",
    "camelCase",
    "Größe",
    "日本",
    "a,b",
    "a;b",
    'say "hi"',
    "=1+1",
    "null",
    "0",
    "select",
    "dotted.name",
)
"""API names of custom fields."""

CUSTOM_TYPE = 100_001
"""An activity type that is only in the catalog of this subscription."""

ATTRIBUTES: tuple[Mapping[str, Any], ...] = (
    {},
    {"a": None, "b": "", "c": "null"},
    {"nested": {"list": [1, [2, {"deep": None}]], "text": 'a "b"'}},
    {"two words": 1, "Größe": -0.0, "": "no name", "a,b": True, "large": 2**63},
    {"text": "a\r\nb\0c\u2028d😀"},
)


def _catalogs() -> list[object]:
    return [
        catalog(),
        {
            "result": [
                {
                    "id": 900_000 + number,
                    "displayName": name,
                    "dataType": "string",
                    "length": 255,
                    "rest": {"name": name, "readOnly": False},
                }
                for number, name in enumerate(FIELDS)
            ]
        },
        {
            "result": [
                {
                    "id": CUSTOM_TYPE,
                    "name": 'Moored, at the "Pier"',
                    "description": "A type that no program knows in advance",
                    "primaryAttribute": {"name": "Größe, in m", "dataType": "string"},
                    "attributes": [{"name": "two words", "dataType": "string"}],
                }
            ]
        },
    ]


def _leads() -> Iterator[dict[str, Any]]:
    number = 0
    for what, text in TEXTS.items():
        number += 1
        yield _lead(number, what, firstName=text, company=text, mktoPersonNotes=text)
    for date in DATES:
        number += 1
        yield _lead(number, f"date {date}", dateOfBirth=date)
    for moment in MOMENTS:
        number += 1
        yield _lead(number, f"moment {moment}", emailSuspendedAt=moment)
    for integer in INTEGERS:
        number += 1
        yield _lead(number, f"integer {integer}", numberOfEmployees=integer)
    for amount in FLOATS:
        number += 1
        yield _lead(number, f"float {amount!r}", urgency=amount)
    for name in FIELDS:
        number += 1
        yield _lead(number, f"field {name}", **{name: f"value of {name}"})
    for id_ in IDS:
        yield _lead(id_, f"id {id_}")


def _lead(id_: int, what: str, **values: Any) -> dict[str, Any]:  # noqa: ANN401 - of any field
    return {
        "id": id_,
        "lastName": what,
        "createdAt": "2026-01-15T12:00:00Z",
        "updatedAt": "2026-01-15T12:00:00Z",
        **values,
    }


def _activities() -> Iterator[dict[str, Any]]:
    """Yield activities of the first leads, of none that is there, and of the largest ids."""
    found: list[tuple[int, int, str | None, Mapping[str, Any]]] = [
        (lead, 1, text, {}) for lead, text in enumerate(TEXTS.values(), 1)
    ]
    found += [(1, CUSTOM_TYPE, "type of this subscription", given) for given in ATTRIBUTES]
    found += [(500_000, 1, "a lead that is not there", {})]
    found += [(id_, 1, f"id {id_}", {}) for id_ in IDS]
    for number, (lead, type_id, text, attributes) in enumerate(found, 1):
        yield {
            "marketoGUID": f"{number:06}",
            "leadId": lead,
            "activityDate": "2026-01-15T12:00:00Z",
            "activityTypeId": type_id,
            "primaryAttributeValueId": number,
            "primaryAttributeValue": text,
            "attributes": dict(attributes),
        }


def _list_members() -> list[dict[str, int]]:
    list_id = catalog()["staticLists"][0]["id"]
    return [{"listId": list_id, "leadId": lead} for lead in (1, 2, 3, 500_000, *IDS)]


def _program_members() -> Iterator[dict[str, Any]]:
    program = catalog()["programs"][0]
    for lead, text in enumerate(TEXTS.values(), 1):
        yield {
            "programId": program["id"],
            "leadId": lead,
            "program": program["name"],
            "statusName": program["statuses"][0],
            "statusReason": text,
            "createdAt": "2026-01-15T12:00:00Z",
            "updatedAt": "2026-01-15T12:00:00Z",
        }


def _boats() -> Iterator[dict[str, Any]]:
    for number, text in enumerate(TEXTS.values(), 1):
        yield {
            "marketoGUID": f"00000000-0000-4000-8000-{number:012}",
            "leadId": None if number == 1 else number,
            "hullNumber": f"OH-{number:05}",
            "boatName": text,
            "lengthInFeet": FLOATS[number % len(FLOATS)],
            "createdAt": "2026-01-15T12:00:00Z",
            "updatedAt": "2026-01-15T12:00:00Z",
        }


def _records(_moment: datetime, _parameters: Mapping[str, int]) -> Records:
    return {
        Of.LIST_MEMBERS: _list_members(),
        Of.ACTIVITIES: [*_activities()],
        Of.PROGRAM_MEMBERS: [*_program_members()],
        Of.BOATS: [*_boats()],
        Of.LEADS: [*_leads()],
    }


NASTY = RecordSet(
    name="nasty",
    help="Every odd text, date, number, id and name of a field that a reader must survive: quotes, "
    "line ends, NUL, emoji, formulas, cells of a megabyte, the ends of the calendar, ids beyond "
    f"2^53. `lastName` says what is odd about a lead. Objects have the type {BOATS}.",
    catalog=_catalogs,
    records=_records,
    changed_at=datetime(2026, 1, 31, 12, tzinfo=UTC),
)
