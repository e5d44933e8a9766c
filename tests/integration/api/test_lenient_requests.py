"""What careless clients write in the body of a job means the same as the proper form."""

from typing import Any

import pytest
import sqlalchemy as sa
from tests.support.instance import (
    ACTIVITIES,
    BOATS,
    LEADS,
    MEMBERS,
    STATIC_LIST,
    WINDOW,
    Instance,
    only,
)

from outhaul import sample
from outhaul.database.schema import export_job

SMART_LIST = sample.catalog()["smartLists"][0]
LIST, SMART = STATIC_LIST["id"], SMART_LIST["id"]

# Each has one more sign that is ignored than the last: a fraction, an offset, blanks.
WINDOWS = (
    {"startAt": "2025-12-21T12:00:00.999Z", "endAt": "2026-01-20T12:00:00.001Z"},
    {"startAt": "2025-12-21T12:00:00.5+00:00", "endAt": "2026-01-20T12:00:00.123456+0000"},
    {"startAt": " 2025-12-21T12:00Z ", "endAt": "2026-01-20T12:00:00.9Z+0000\n"},
    {"startAt": "2025-12-21 12:00:00", "endAt": "2026-01-20 12:00:00.0"},
)


def stored(instance: Instance, kind: str, body: dict[str, Any]) -> Any:
    """Return the request as the job has it."""
    job = only(instance.create(kind, **body))
    with instance.database.read() as connection:
        query = sa.select(export_job.c.request).where(export_job.c.id == job["exportId"])
        return connection.execute(query).scalar_one()


def same(instance: Instance, kind: str, given: dict[str, Any], proper: dict[str, Any]) -> None:
    assert stored(instance, kind, given) == stored(instance, kind, proper)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("leads", "createdAt"),
        ("leads", "updatedAt"),
        ("activities", "createdAt"),
        ("program/members", "updatedAt"),
        ("customobjects/boat_c", "updatedAt"),
    ],
)
def test_windows(shared: Instance, kind: str, name: str, window: dict[str, str]) -> None:
    other = {"programId": 1004} if kind == "program/members" else {}
    same(shared, kind, {"filter": {name: window, **other}}, {"filter": {name: WINDOW, **other}})


@pytest.mark.parametrize("shape", ["{}", " {} ", "{}.0", "+{}"])
@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("leads", "staticListId", LIST),
        ("leads", "smartListId", SMART),
        ("customobjects/boat_c", "staticListId", LIST),
        ("customobjects/boat_c", "smartListId", SMART),
        ("program/members", "programId", 1004),
        ("program/members", "programIds", [1004, 1005]),
        ("activities", "activityTypeIds", [1, 2]),
        ("activities", "primaryAttributeValueIds", [16, 102]),
    ],
)
def test_integers(shared: Instance, kind: str, name: str, value: Any, shape: str) -> None:
    others: dict[str, Any] = {"createdAt": WINDOW} if kind == "activities" else {}
    if name.startswith("primary"):
        others["activityTypeIds"] = [13]
    proper = {"filter": {**others, name: value}}
    each = value if isinstance(value, list) else [value]
    for written in ([shape.format(number) for number in each], [float(number) for number in each]):
        given = written if isinstance(value, list) else written[0]
        same(shared, kind, {"filter": {**others, name: given}}, proper)


@pytest.mark.parametrize("nothing", [None, []])
@pytest.mark.parametrize(
    ("kind", "names", "proper"),
    [
        (
            "leads",
            ("updatedAt", "staticListId", "staticListName", "smartListId", "smartListName"),
            LEADS["filter"],
        ),
        (
            "activities",
            ("activityTypeIds", "primaryAttributeValueIds", "primaryAttributeValues"),
            ACTIVITIES["filter"],
        ),
        (
            "program/members",
            ("programIds", "isExhausted", "nurtureCadence", "statusNames", "updatedAt"),
            MEMBERS["filter"],
        ),
        (
            "customobjects/boat_c",
            ("staticListId", "staticListName", "smartListId", "smartListName"),
            BOATS["filter"],
        ),
    ],
)
def test_filters_that_are_empty(
    shared: Instance, kind: str, names: tuple[str, ...], proper: dict[str, Any], nothing: object
) -> None:
    given = {**proper, **dict.fromkeys(names, nothing)}
    same(shared, kind, {"filter": given}, {"filter": proper})
    pieces = [{name: value} for name, value in given.items()]
    same(shared, kind, {"filter": pieces}, {"filter": proper})


@pytest.mark.parametrize("kind", ["leads", "activities", "program/members", "customobjects/boat_c"])
@pytest.mark.parametrize(
    ("given", "proper"),
    [
        ({"format": None}, {}),
        ({"format": ""}, {}),
        ({"format": " "}, {}),
        ({"format": " tsv\n"}, {"format": "TSV"}),
        ({"columnHeaderNames": None}, {}),
        ({"columnHeaderNames": {}}, {}),
        ({"columnHeaderNames": []}, {}),
        ({"columnHeaderNames": {"id": None, "leadId": None}}, {}),
        ({"colour": [{}], "fieldsX": None}, {}),
    ],
)
def test_the_rest_of_a_body(
    shared: Instance, kind: str, given: dict[str, Any], proper: dict[str, Any]
) -> None:
    if given.get("columnHeaderNames"):
        field = "marketoGUID" if "objects" in kind else "leadId" if kind != "leads" else "id"
        given = {"columnHeaderNames": {field: None}}
    same(shared, kind, given, proper)


@pytest.mark.parametrize("nothing", [None, []])
def test_fields_of_activities_that_are_empty(shared: Instance, nothing: object) -> None:
    same(shared, "activities", {"fields": nothing}, {})


@pytest.mark.parametrize(
    ("kind", "given", "proper"),
    [
        ("leads", {"fields": [" id", "email "]}, {"fields": ["id", "email"]}),
        (
            "leads",
            {"columnHeaderNames": {" id ": " Number "}},
            {"columnHeaderNames": {"id": " Number "}},
        ),
        (
            "leads",
            {"filter": {"staticListName": f" {STATIC_LIST['name']} "}},
            {"filter": {"staticListName": STATIC_LIST["name"]}},
        ),
        (
            "leads",
            {"filter": {"smartListName": f"{SMART_LIST['name']}\n"}},
            {"filter": {"smartListName": SMART_LIST["name"]}},
        ),
        (
            "program/members",
            {"filter": {"programId": 1004, "nurtureCadence": "pause ", "isExhausted": "false"}},
            {"filter": {"programId": 1004, "nurtureCadence": "pause", "isExhausted": False}},
        ),
        (
            "program/members",
            {"filter": {"programId": 1004, "statusNames": [" Engaged"], "isExhausted": " TRUE"}},
            {"filter": {"programId": 1004, "statusNames": ["Engaged"], "isExhausted": True}},
        ),
    ],
)
def test_blanks_around_names(
    shared: Instance, kind: str, given: dict[str, Any], proper: dict[str, Any]
) -> None:
    same(shared, kind, given, proper)
