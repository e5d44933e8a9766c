from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest

from outhaul.client import ClientError, Patience, Session, activity_types, field_types


def described(name: str, of: str) -> dict[str, Any]:
    return {"id": 1, "displayName": name, "dataType": of, "rest": {"name": name}}


LEADS = [
    described("id", "integer"),
    described("score", "score"),
    {"id": 3, "displayName": "SOAP only", "dataType": "string"},
]
MEMBERS = [
    {"name": "API Program Membership", "fields": [{"name": "isExhausted", "dataType": "boolean"}]}
]
TYPES = [
    {"id": n, "name": f"Type {n}", "attributes": [{"name": "Count", "dataType": "integer"}]}
    for n in range(1, 6)
]


@contextmanager
def answering(
    answers: Mapping[str, list[Any] | str], page: int | None = None
) -> Iterator[tuple[Session, list[str]]]:
    """Yield a session whose endpoint has some answers: results, or the code of an error."""
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        if path == "/identity/oauth/token":
            return httpx2.Response(200, json={"access_token": "t", "expires_in": 3600})
        asked.append(path)
        result = answers.get(path, "610")
        if isinstance(result, str):
            body = {"success": False, "errors": [{"code": result, "message": "no"}]}
            return httpx2.Response(200, json=body)
        if page is not None:
            offset = int(request.url.params["offset"])
            result = result[offset : offset + page]
        return httpx2.Response(200, json={"success": True, "result": result})

    patience = Patience(sleep=lambda _: None)
    with Session(
        "http://host", "id", "secret", transport=httpx2.MockTransport(answer), patience=patience
    ) as session:
        yield session, asked


def test_leads_have_the_fields_of_the_first_description() -> None:
    with answering({"/rest/v1/leads/describe.json": LEADS}) as (session, _):
        assert field_types(session, "leads") == {
            "id": "integer",
            "createdAt": "datetime",
            "updatedAt": "datetime",
            "score": "score",
        }


def test_leads_are_described_by_the_second_call_if_the_first_is_refused() -> None:
    fields = [{"name": "API Lead", "fields": [{"name": "email", "dataType": "email"}]}]
    with answering({"/rest/v1/leads/describe2.json": fields}) as (session, asked):
        assert field_types(session, "leads")["email"] == "email"
    assert asked == ["/rest/v1/leads/describe.json", "/rest/v1/leads/describe2.json"]


def test_members_have_their_fields_and_those_of_leads() -> None:
    answers = {
        "/rest/v1/leads/describe.json": [*LEADS, described("isExhausted", "string")],
        "/rest/v1/programs/members/describe.json": MEMBERS,
    }
    with answering(answers) as (session, _):
        found = field_types(session, "program/members")
    assert (found["score"], found["isExhausted"], found["leadId"]) == (
        "score",
        "boolean",
        "integer",
    )


def test_custom_objects_are_described_by_type() -> None:
    fields = [{"apiName": "boat_c", "fields": [{"name": "metres", "dataType": "float"}]}]
    with answering({"/rest/v1/customobjects/boat_c/describe.json": fields}) as (session, _):
        assert field_types(session, "customobjects/boat_c") == {
            "marketoGUID": "string",
            "createdAt": "datetime",
            "updatedAt": "datetime",
            "metres": "float",
        }


def test_the_fields_of_activities_need_no_call() -> None:
    with answering({}) as (session, asked):
        assert field_types(session, "activities")["activityDate"] == "datetime"
    assert not asked


def test_a_description_that_is_refused_raises() -> None:
    with answering({}) as (session, _), pytest.raises(ClientError, match="610"):
        field_types(session, "customobjects/none_c")


@pytest.mark.parametrize(("page", "calls"), [(None, 2), (2, 4), (300, 2)])
def test_all_activity_types_are_found(page: int | None, calls: int) -> None:
    """Some endpoints page by the offset, and others ignore it."""
    with answering({"/rest/v1/activities/types.json": TYPES}, page) as (session, asked):
        found = activity_types(session)
    assert [each.id for each in found] == [1, 2, 3, 4, 5]
    assert found[0].name == "Type 1"
    assert found[0].attributes == {"Count": "integer"}
    assert len(asked) == calls
