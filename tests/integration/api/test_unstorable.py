"""What no database keeps or compares is not found, or of a wrong type, and never a failure.

PostgreSQL refuses NUL bytes in texts and integers of more than 64 bits; both refuse halves of
surrogate pairs. The instance holds against every answer that it is neither HTTP 5xx nor 611.
"""

import json
import re
from typing import Any
from urllib.parse import quote

import pytest
from tests.support.instance import (
    KINDS,
    LEADS,
    TOKEN,
    WINDOW,
    Instance,
    base,
    different_calls,
    refusal,
)

from outhaul.protocol.paging import encode_token

TEXTS = ("\0", "a\0b", "%00", "\N{SNOWMAN}", "x" * 3_000)
NUMBERS = tuple(str(n) for n in (2**31, -(2**31) - 1, 2**63, -(2**63) - 1, 2**64, 10**30))
FOR_SQLITE = ("\0", str(2**63), "\ud800")
"""SQLite takes most of them as they are."""
BODY_VALUES: tuple[Any, ...] = ("\0", "a\0", "\ud800", 2**31, 2**63, 10**30, -(10**30))
BODY_VALUES_FOR_SQLITE: tuple[Any, ...] = ("\0", "\ud800", 2**63)
VALUES = (*TEXTS, *NUMBERS, "9" * 30 + "," + "\0", "\ud800")
ALL_KINDS = (*KINDS, "program/members")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def on(store: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("store", [store], indirect=True)


def named(value: object) -> str:
    return ascii(value)[:30]


def encoded(text: str) -> bytes:
    return quote(text.encode("utf-8", "surrogatepass")).encode()


@pytest.fixture(scope="module")
def users(shared: Instance) -> dict[str, str]:
    """Who may make each call: the values are looked at only then."""
    paths = [re.sub(r"\{\w+\}", "1", path) for path in shared.openapi()["paths"]]
    refused = {path for path in paths if b'"603"' in shared.raw("GET", path, user="etl").body}
    return {path: "marketer" if path in refused else "etl" for path in paths}


def everywhere(shared: Instance, users: dict[str, str], value: str) -> None:
    """Give a value in every place of every call."""
    for path, methods in different_calls(shared).items():
        for method, about in methods.items():
            names = [each["name"] for each in about.get("parameters", ()) if each["in"] == "query"]
            names += ["status", "batchSize", "nextPageToken", "client_id", "client_secret"]
            sendable = value.encode("utf-8", "replace").decode()
            places = re.sub(r"\{\w+\}", sendable, path)
            shared.raw(method.upper(), places, user="etl")
            plain = re.sub(r"\{\w+\}", "1", path)
            # The values are of a few sorts: each tries every third name, the next ones the others.
            for name in sorted(set(names))[VALUES.index(value) % 3 :: 3]:
                query = b"grant_type=client_credentials&" + name.encode() + b"=" + encoded(value)
                shared.raw(method.upper(), plain, query=query, user=users[plain])


@on("sqlite")
@pytest.mark.parametrize("value", FOR_SQLITE, ids=named)
def test_in_every_place_of_every_call_on_sqlite(
    shared: Instance, users: dict[str, str], value: str
) -> None:
    everywhere(shared, users, value)


@on("sqlite")
@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("value", BODY_VALUES_FOR_SQLITE, ids=named)
def test_in_the_body_of_a_job_on_sqlite(shared: Instance, kind: str, value: Any) -> None:
    in_the_body(shared, kind, value)


@pytest.mark.parametrize("value", VALUES, ids=named)
def test_in_credentials_and_tokens(shared: Instance, value: str) -> None:
    query = b"grant_type=client_credentials&client_secret=s&client_id=" + encoded(value)
    assert shared.raw("GET", TOKEN, query=query, user=None).status == 401
    path = f"{base('leads')}.json"
    answer = shared.raw("GET", path, query=b"access_token=" + encoded(value), user=None)
    assert refusal(answer)[0] == "601"


def in_the_body(shared: Instance, kind: str, value: Any) -> None:
    """Give a value to every filter of a new job."""
    names = (
        *("staticListId", "staticListName", "smartListId", "smartListName", "programId"),
        *("activityTypeIds", "primaryAttributeValueIds", "primaryAttributeValues"),
    )
    for name in names:
        for given in (value, [value], [13, value]):
            for wanted in ({name: given}, {"createdAt": WINDOW, name: given}):
                body = json.dumps({**LEADS, "filter": wanted}).encode()
                shared.raw("POST", f"{base(kind)}/create.json", body=[body])


def test_in_what_a_job_keeps(shared: Instance) -> None:
    headers = {"id": "a\0b", "email": "\N{SNOWMAN}\0"}
    job = shared.created(columnHeaderNames=headers)
    assert shared.status(job).json()["success"]


@pytest.mark.parametrize(
    "place",
    [
        ["2026-01-01T00:00:00+00:00", "\0"],
        ["2026-01-01T00:00:00+00:00", "\ud800"],
        ["9999-12-31T23:59:59.999999+00:00", "x"],
        ["0001-01-01T00:00:00+00:00", "x"],
    ],
    ids=named,
)
def test_in_the_token_of_a_page(shared: Instance, place: list[str]) -> None:
    query = f"nextPageToken={encode_token(place)}".encode()
    assert shared.raw("GET", f"{base('leads')}.json", query=query).status == 200


# At the end, so that an instance is made once for each database, not for each test.


@on("postgresql")
@pytest.mark.parametrize("value", VALUES, ids=named)
def test_in_every_place_of_every_call(shared: Instance, users: dict[str, str], value: str) -> None:
    everywhere(shared, users, value)


@on("postgresql")
@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("value", BODY_VALUES, ids=named)
def test_in_the_body_of_a_job(shared: Instance, kind: str, value: Any) -> None:
    in_the_body(shared, kind, value)
