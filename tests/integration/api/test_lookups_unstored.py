"""Look-ups of what outhaul does not store: an instance that has none of it."""

from typing import Any

import pytest
from tests.support.instance import USERS, Instance, refusal, result
from tests.support.paths import DOCS

from outhaul.api.lookups import families
from outhaul.api.lookups.answering import Lookup
from outhaul.protocol.answers.envelope import NO_ASSETS

LOOKUPS = families()["what is not stored"]
EACH = pytest.mark.parametrize("lookup", LOOKUPS, ids=lambda lookup: lookup.path)
FILTERED = [lookup for lookup in LOOKUPS if "filterType" in lookup.names]
BROWSED = [lookup for lookup in LOOKUPS if "maxReturn" in lookup.names]
FILTER = {"filterType": "idField", "filterValues": "1,2"}


def user_of(lookup: Lookup) -> str:
    return next(
        name for name in ("marketer", "sales", "leads") if lookup.permissions & {*USERS[name]}
    )


def url_of(lookup: Lookup) -> str:
    return lookup.path.replace("{id}", "1001")


def needed(lookup: Lookup) -> dict[str, str]:
    values = {**FILTER, "name": "Website"}
    return {name: text for name, text in values.items() if name in lookup.names}


def ask(instance: Instance, lookup: Lookup, **params: Any) -> Any:
    return instance.get(url_of(lookup), user=user_of(lookup), params=params)


def is_empty(lookup: Lookup, body: dict[str, Any]) -> bool:
    """Return whether an answer is that of an instance that has none."""
    if lookup.path.startswith("/rest/asset/"):
        assert body["warnings"] == [NO_ASSETS]
        assert body["errors"] == []
        return "result" not in body
    assert "warnings" not in body
    assert "nextPageToken" not in body
    return bool(body["result"] == [])


def test_the_calls_that_clients_make_are_there() -> None:
    paths = {lookup.path for lookup in LOOKUPS}
    assert {
        "/rest/v1/companies.json",
        "/rest/v1/companies/describe.json",
        "/rest/v1/namedaccounts.json",
        "/rest/v1/namedaccounts/describe.json",
        "/rest/v1/namedAccountLists.json",
        "/rest/v1/opportunities.json",
        "/rest/v1/opportunities/describe.json",
        "/rest/v1/opportunities/roles.json",
        "/rest/v1/opportunities/roles/describe.json",
        "/rest/v1/salespersons.json",
        "/rest/v1/salespersons/describe.json",
        "/rest/asset/v1/folders.json",
        "/rest/asset/v1/emails.json",
        "/rest/asset/v1/channels.json",
        "/rest/asset/v1/tagTypes.json",
        "/rest/asset/v1/segmentation.json",
    } <= paths


@EACH
def test_each_finds_nothing_by_get_and_by_post(shared: Instance, lookup: Lookup) -> None:
    user, url, given = user_of(lookup), url_of(lookup), needed(lookup)
    for answer in (
        shared.get(url, user=user, params={**given, "more": ["1", "2"]}),
        shared.get(f"/rest/../{url.lstrip('/')}", user=user, params=given),
        shared.post(url, user=user, params={"_method": "GET"}, data=given),
        shared.post(url, user=user, data={"_method": "get", **given}),
        shared.post(url, user=user, params={"_method": "GET"}, json=given),
    ):
        if "{id}/named" in lookup.path:
            assert refusal(answer)[0] == "1013"
        else:
            assert answer.json()["success"] is True
            assert is_empty(lookup, answer.json())
    assert refusal(shared.post(url, user=user, data=given))[0] == "605"


@EACH
def test_each_needs_a_permission(shared: Instance, lookup: Lookup) -> None:
    for user, areas in USERS.items():
        answer = shared.get(url_of(lookup), user=user, params=needed(lookup))
        if not lookup.permissions & {*areas}:
            assert refusal(answer) == ("603", "Access denied")
    assert refusal(shared.get(url_of(lookup), user=None))[0] == "603"


@pytest.mark.parametrize("lookup", FILTERED, ids=lambda lookup: lookup.path)
@pytest.mark.parametrize(
    ("params", "code", "said"),
    [
        ({"filterType": ""}, "1002", "'filterType'"),
        ({"filterValues": " , "}, "1002", "'filterValues'"),
        ({"filterValues": "\0"}, "1001", "'filterValues'"),
        ({"filterValues": ",".join(map(str, range(301)))}, "1003", "301 values, where 300 are"),
        ({"batchSize": "0"}, "1001", "'batchSize'"),
        ({"batchSize": "x"}, "1001", "'batchSize'"),
        ({"nextPageToken": "x"}, "1003", "'nextPageToken'"),
    ],
)
def test_filters_are_checked(
    shared: Instance, lookup: Lookup, params: dict[str, str], code: str, said: str
) -> None:
    refused = refusal(ask(shared, lookup, **{**FILTER, **params}))
    assert refused[0] == code
    assert said in refused[1]


@pytest.mark.parametrize("lookup", FILTERED, ids=lambda lookup: lookup.path)
def test_compound_keys_take_the_place_of_a_filter(shared: Instance, lookup: Lookup) -> None:
    body = {"filterType": "dedupeFields", "input": [{"leadId": 1, "role": "Captain"}]}
    user = user_of(lookup)
    answer = shared.post(url_of(lookup), user=user, params={"_method": "GET"}, json=body)
    assert result(answer) == []
    many: dict[str, Any] = {"input": [{}] * 301}
    answer = shared.post(url_of(lookup), user=user, params={"_method": "GET"}, json=many)
    assert refusal(answer)[0] == "1003"


@pytest.mark.parametrize("lookup", BROWSED, ids=lambda lookup: lookup.path)
def test_pages_are_checked(shared: Instance, lookup: Lookup) -> None:
    assert is_empty(lookup, ask(shared, lookup, maxReturn="9999", offset="3").json())
    for name, text in (("maxReturn", "0"), ("maxReturn", "x"), ("offset", "-1"), ("offset", "x")):
        code, message = refusal(ask(shared, lookup, **{name: text}))
        assert code == "1001"
        assert f"'{name}'" in message


@EACH
def test_ids_and_names_are_checked(shared: Instance, lookup: Lookup) -> None:
    user = user_of(lookup)
    if lookup.path.endswith("/byName.json"):
        assert refusal(shared.get(lookup.path, user=user))[0] == "1002"
    if "{id}" in lookup.path and "{id}/named" not in lookup.path:
        for wrong in ("x", "1.5", str(2**63)):
            answer = shared.get(lookup.path.replace("{id}", wrong), user=user)
            assert refusal(answer)[0] == "1001"


@EACH
def test_each_is_documented_with_what_it_reads(lookup: Lookup) -> None:
    page = (DOCS / "protocol.md").read_text("utf-8")
    assert f"`{lookup.path}`" in page
    assert all(f"`{name}`" in page for name in lookup.names)
