"""A few leads and activities, in the text that they are loaded from and exported as.

They have what makes a file hard to read: quotes, delimiters and line breaks inside cells, marks
that some readers take for line breaks, every kind of nothing.
"""

import json
from collections.abc import Iterable
from pathlib import Path

JANUARY = {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-31T23:59:59Z"}

LEAD_FIELDS = [
    "id",
    "firstName",
    "lastName",
    "email",
    "company",
    "unsubscribed",
    "numberOfEmployees",
    "annualRevenue",
    "dateOfBirth",
    "leadSource",
    "createdAt",
    "updatedAt",
]
LEADS = {
    1: '1,Ada,Lovelace,ada@example.com,"Engines, Analytical",false,12,1234.5,1815-12-10,null,'
    "2026-01-01T00:00:00Z,2026-01-05T08:00:00Z\n",
    2: '2,"Grace ""Amazing""",Hopper,grace@example.com,US Navy,true,null,null,1906-12-09,'
    '"two\nlines",2026-01-15T12:30:00Z,2026-03-02T00:00:00Z\n',
    3: '3,null,"null","",null,false,0,0.1,null,"carriage\r\nreturn",'
    "2026-01-31T23:59:59Z,2026-02-01T00:00:00Z\n",
    4: "4,Łukasz,髙橋,l@example.com,one\u2028two\u0085three,true,-1,-3,2000-02-29,🦆,"
    "2026-02-01T00:00:00Z,2026-02-01T00:00:01Z\n",
    10: "10,tab\there,O'Neill,o@example.com, spaces ,false,2147483647,1000000.25,null,null,"
    "2026-02-10T09:00:00Z,2026-02-10T09:00:00Z\n",
}
IN_JANUARY = (1, 2, 3)
ON_LIST = (1, 4, 10)

STANDARD_FIELDS = [
    "marketoGUID",
    "leadId",
    "activityDate",
    "activityTypeId",
    "campaignId",
    "primaryAttributeValueId",
    "primaryAttributeValue",
    "attributes",
]
ACTIVITY_FIELDS = [*STANDARD_FIELDS, "actionResult"]
ACTIVITIES = {
    "visit": "100000001,1,2026-01-01T00:00:00Z,1,null,7,/home,"
    '"{""Webpage ID"":7,""Query"":""a=1,b=\\""2\\""""}",null\n',
    "form": "100000002,1,2026-01-01T00:00:00Z,2,null,3001,Contact Us,"
    '"{""Form Fields"":""Łukasz 🦆""}",succeeded\n',
    "other form": "100000004,2,2026-01-10T10:00:00Z,2,null,3002,Signup,{},null\n",
    "score": '100000005,2,2026-01-15T12:30:00Z,22,2001,146,Lead Score,"{""New Value"":5}",null\n',
    "value": "100000003,2,2026-01-15T12:30:01Z,13,null,56,Email Address,"
    '"{""Old Value"":null,""New Value"":""two\\nlines""}",null\n',
    "progress": "100000006,3,2026-01-20T00:00:00Z,104,null,1001,Newsletter,"
    '"{""New Status"":""Member""}",null\n',
    "add to list": "100000007,4,2026-01-31T23:59:59Z,24,null,1001,Readers,{},null\n",
    "late visit": "100000008,10,2026-02-01T00:00:00Z,1,null,8,/late,{},skipped\n",
}

CATALOG = {
    "programs": [{"id": 1001, "name": "Newsletter"}],
    "forms": [
        {"id": 3001, "name": "Contact Us"},
        {"id": 3002, "name": "Signup", "program": "Newsletter"},
    ],
    "staticLists": [{"id": 1001, "name": "Readers", "program": "Newsletter"}],
}


def leads_file(ids: Iterable[int] = LEADS) -> str:
    """Return the text of a file of leads."""
    return ",".join(LEAD_FIELDS) + "\n" + "".join(LEADS[lead] for lead in ids)


def activities_file(names: Iterable[str] = ACTIVITIES) -> str:
    """Return the text of a file of activities, with all fields."""
    return ",".join(ACTIVITY_FIELDS) + "\n" + "".join(ACTIVITIES[name] for name in names)


def standard_file(names: Iterable[str]) -> str:
    """Return the text of a file of activities, with the standard fields."""
    rows = [",".join(STANDARD_FIELDS) + "\n"]
    rows += [ACTIVITIES[name].rpartition(",")[0] + "\n" for name in names]
    return "".join(rows)


def write_records(folder: Path) -> None:
    """Write all of it to files, the records in another order than they are exported in."""
    catalog, members = json.dumps(CATALOG), "".join(f"1001,{lead}\n" for lead in ON_LIST)
    (folder / "catalog.json").write_text(catalog, "utf-8")
    (folder / "members.csv").write_text("listId,leadId\n" + members, "utf-8")
    (folder / "leads.csv").write_text(leads_file(reversed(LEADS)), "utf-8", newline="")
    (folder / "activities.csv").write_text(
        activities_file(reversed(ACTIVITIES)), "utf-8", newline=""
    )
