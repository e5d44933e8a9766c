"""Fields, headers, formats, ids and parameters that do not fit: the answer says which it is."""

import base64
import json
from typing import Any

import pytest
from tests.support.instance import (
    ACTIVITIES,
    BODIES,
    KINDS,
    Instance,
    Serve,
    base,
    only,
    refusal,
    result,
)

DEFAULT_FIELDS = (
    "marketoGUID,leadId,activityDate,activityTypeId,"
    "campaignId,primaryAttributeValueId,primaryAttributeValue,attributes"
)


def refused(instance: Instance, kind: str, **changes: Any) -> tuple[str, str]:
    return refusal(instance.create(kind, **changes))


def header_line(instance: Instance, kind: str, **changes: Any) -> str:
    export_id = instance.completed(kind, **changes)["exportId"]
    return instance.file(export_id, kind).text.partition("\n")[0]


# Fields, headers, format


@pytest.mark.parametrize(
    ("given", "code", "parameter"),
    [
        (None, "1002", "fields"),
        ([], "1002", "fields"),
        ("id", "1001", "fields"),
        ({"id": True}, "1001", "fields"),
        ([7], "1001", "fields[0]"),
        (["id", None], "1002", "fields[1]"),
        (["id", ""], "1002", "fields[1]"),
        (["id", ["email"]], "1001", "fields[1]"),
        (["id", "email", "id"], "1003", "fields"),
    ],
)
def test_fields_of_leads(shared: Instance, given: object, code: str, parameter: str) -> None:
    found, message = refused(shared, "leads", fields=given)
    assert found == code
    assert f"'{parameter}'" in message


@pytest.mark.parametrize(
    ("given", "code", "parameter"),
    [
        ("leadId", "1001", "fields"),
        ([7], "1001", "fields[0]"),
        (["leadId", "leadId"], "1003", "fields"),
    ],
)
def test_fields_of_activities(shared: Instance, given: object, code: str, parameter: str) -> None:
    found, message = refused(shared, "activities", fields=given)
    assert found == code
    assert f"'{parameter}'" in message


def test_leads_must_name_their_fields(shared: Instance) -> None:
    body = {name: value for name, value in BODIES["leads"].items() if name != "fields"}
    answer = shared.post(f"{base('leads')}/create.json", json=body)
    assert refusal(answer) == ("1002", "Missing value for required parameter 'fields'")


@pytest.mark.parametrize("changes", [{}, {"fields": None}, {"fields": []}])
def test_activities_have_eight_fields_by_default(shared: Instance, changes: dict[str, Any]) -> None:
    assert header_line(shared, "activities", **changes) == DEFAULT_FIELDS


def test_activities_have_an_action_result_on_request(shared: Instance) -> None:
    assert header_line(shared, "activities", fields=["actionResult", "leadId"]) == (
        "actionResult,leadId"
    )


def test_ecids_are_a_field_where_the_setting_says_so(serve: Serve) -> None:
    assert refused(serve(), "leads", fields=["id", "ecids"]) == ("1006", "Field 'ecids' not found")
    assert header_line(serve(ecids=True), "leads", fields=["id", "ecids"]) == "id,ecids"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("given", "code", "parameter"),
    [
        ("Name", "1001", "columnHeaderNames"),
        (["id"], "1001", "columnHeaderNames"),
        ({"company": "Company"}, "1003", "columnHeaderNames.company"),
        ({"": "Company"}, "1003", "columnHeaderNames."),
    ],
)
def test_column_headers(
    shared: Instance, kind: str, given: object, code: str, parameter: str
) -> None:
    found, message = refused(shared, kind, columnHeaderNames=given)
    assert found == code
    assert f"'{parameter}'" in message


@pytest.mark.parametrize(("header", "code"), [(7, "1001"), ([], "1001"), ("", "1002")])
def test_a_column_header_is_text(shared: Instance, header: object, code: str) -> None:
    found, message = refused(shared, "leads", columnHeaderNames={"id": header})
    assert found == code
    assert "'columnHeaderNames.id'" in message


@pytest.mark.parametrize(
    ("headers", "line"),
    [
        (None, "id,email"),
        ({}, "id,email"),
        ({"email": "Email Address"}, "id,Email Address"),
        ({"id": 'a "quote", and more'}, '"a ""quote"", and more",email'),
    ],
)
def test_column_headers_take_the_place_of_names(
    shared: Instance, headers: dict[str, str] | None, line: str
) -> None:
    assert header_line(shared, "leads", columnHeaderNames=headers) == line


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("given", "code"), [("XML", "1003"), ("C SV", "1003"), (7, "1001"), (["CSV"], "1001")]
)
def test_an_unknown_format(shared: Instance, kind: str, given: object, code: str) -> None:
    found, message = refused(shared, kind, format=given)
    assert found == code
    assert "'format'" in message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("given", "shown"), [("CSV", "CSV"), ("tsv", "TSV"), ("Ssv", "SSV"), (None, "CSV")]
)
def test_a_known_format(shared: Instance, kind: str, given: str | None, shown: str) -> None:
    assert only(shared.create(kind, format=given))["format"] == shown


# Ids, and the parameters of the list


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("export_id", ["1", "not-a-uuid", "%7B%7D", "..%2F", "\N{SNOWMAN}", "a b"])
def test_a_job_id_that_is_no_uuid(shared: Instance, kind: str, export_id: str) -> None:
    for call in (shared.status, shared.enqueue, shared.cancel):
        code, message = refusal(call(export_id, kind))
        if code != "610":  # a slash that is written as %2F makes it another path
            assert code == "1001"
            assert "'exportId'" in message


def test_a_job_id_may_be_spelled_otherwise(shared: Instance) -> None:
    export_id = shared.created()
    for spelled in (export_id.upper(), export_id.replace("-", "")):
        assert only(shared.status(spelled))["exportId"] == export_id


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("given", ["0", "-1", "1.5", "ten", "\u0661", "9" * 20, "9" * 5_000, "1 1"])
def test_a_batch_size(shared: Instance, kind: str, given: str) -> None:
    code, message = refusal(shared.jobs(kind, params={"batchSize": given}))
    assert code == "1001"
    assert "'batchSize'" in message


def token_of(place: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "given",
    [
        "x",
        "\N{SNOWMAN}",
        "AAAA",
        token_of([]),
        token_of({"a": 1}),
        token_of(["2026-01-20T12:00:00+00:00"]),
        token_of(["2026-01-20T12:00:00+00:00", 1]),
        token_of(["2026-01-20T12:00:00", "a"]),
        token_of(["yesterday", "a"]),
        token_of(["2026-01-20T12:00:00+00:00", "\ud800"]),
        token_of(["0001-01-01T00:00:00+14:00", "a"]),
        token_of(["9999-12-31T23:59:59-14:00", "a"]),
        base64.urlsafe_b64encode(b"9" * 5_000).decode().rstrip("="),
    ],
)
def test_a_page_token(shared: Instance, kind: str, given: str) -> None:
    code, message = refusal(shared.jobs(kind, params={"nextPageToken": given}))
    assert code == "1003"
    assert "'nextPageToken'" in message


@pytest.mark.parametrize("given", ["Running", "created;queued", "Created,Running", "\u0131"])
def test_a_status(shared: Instance, given: str) -> None:
    code, message = refusal(shared.jobs(params={"status": given}))
    assert code == "1003"
    assert "'status'" in message
    assert "Created, Queued, Processing, Cancelled, Completed, Failed" in message


@pytest.mark.parametrize("name", ["batchSize", "nextPageToken", "status"])
def test_an_empty_parameter_is_none(shared: Instance, name: str) -> None:
    assert result(shared.jobs(params={name: ""})) == result(shared.jobs())


def test_a_long_value_is_shown_in_part(shared: Instance) -> None:
    _, message = refused(shared, "activities", fields="x" * 1_000_000)
    assert len(message) < 300
    deep: Any = None
    for _ in range(500):
        deep = [deep]
    assert refused(shared, "activities", **{**ACTIVITIES, "format": deep})[0] == "1001"
