"""Activities, changes of leads and deletions, page by page; each answer is held to its shape."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples
from tests.support.instance import (
    ACTIVITY_COUNT,
    LEAD_COUNT,
    NOW,
    Instance,
    Serve,
    refusal,
    result,
)
from tests.support.loads import load_activities, load_list_members
from tests.support.paths import DOCS

from outhaul import sample
from outhaul.accounts.subscriptions import override_limits
from outhaul.api.lookups import families
from outhaul.api.lookups.answering import Lookup
from outhaul.catalog.store import Catalog
from outhaul.lake.snapshot import Lake

LOOKUPS = families()["activities"]
EACH = pytest.mark.parametrize("lookup", LOOKUPS, ids=lambda lookup: lookup.path)
PAGED = pytest.mark.parametrize("lookup", LOOKUPS[1:], ids=lambda lookup: lookup.path)

TOKEN = "/rest/v1/activities/pagingtoken.json"
ACTIVITIES = "/rest/v1/activities.json"
CHANGES = "/rest/v1/activities/leadchanges.json"
DELETED = "/rest/v1/activities/deletedleads.json"

SINCE = "2025-12-01T00:00:00Z"
SAMPLE = list(sample.activities(ACTIVITY_COUNT, until=NOW, lead_count=LEAD_COUNT))
LIST = 1001
MEMBERS = {entry["leadId"] for entry in sample.list_members(LEAD_COUNT) if entry["listId"] == LIST}
TYPES = [1, 2, 6, 7, 10, 11, 12, 13, 22]


@pytest.fixture
def own(serve: Serve) -> Instance:
    """An instance whose lake is its own and empty; its catalog is the sample's."""
    instance = serve()
    instance.settings.lake_folder.unlink()
    return instance


def load(instance: Instance, *records: Mapping[str, Any], loader: Any = load_activities) -> None:
    lake = Lake(instance.settings.lake_folder / "default")
    path = instance.settings.lake_folder.parent / "records.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    loader(lake, Catalog(instance.database, "default"), path, NOW, lambda _: None)


def activity(guid: str, *, second: int = 0, kind: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "marketoGUID": guid,
        "leadId": 7,
        "activityDate": f"2026-01-10T00:00:{second:02}Z",
        "activityTypeId": kind,
        **more,
    }


def token(instance: Instance, since: str = SINCE) -> str:
    found: str = instance.get(TOKEN, params={"sinceDatetime": since}).json()["nextPageToken"]
    return found


def parameters(instance: Instance, lookup: Lookup) -> dict[str, Any]:
    """Return the parameters that a look-up cannot do without."""
    if lookup.path == TOKEN:
        return {"sinceDatetime": SINCE}
    every = {"nextPageToken": token(instance)}
    if lookup.path == ACTIVITIES:
        return {**every, "activityTypeIds": "1"}
    return {**every, "fields": "email"} if lookup.path == CHANGES else every


def ask(instance: Instance, path: str = ACTIVITIES, **params: Any) -> dict[str, Any]:
    params = {"nextPageToken": params.pop("after", None) or token(instance), **params}
    body: dict[str, Any] = instance.get(path, params=params).json()
    assert body["success"] is True, body
    assert isinstance(body["moreResult"], bool)
    assert body["nextPageToken"]
    return body


def refused(instance: Instance, path: str = ACTIVITIES, **params: Any) -> tuple[str, str]:
    return refusal(instance.get(path, params={"nextPageToken": token(instance), **params}))


def walk(instance: Instance, path: str = ACTIVITIES, **params: Any) -> Iterator[dict[str, Any]]:
    """Give what all pages have, as clients go through them: until there is no more."""
    body = ask(instance, path, **params)
    yield from body["result"]
    while body["moreResult"]:
        body = ask(instance, path, **params, after=body["nextPageToken"])
        yield from body["result"]


def guids(found: Iterable[Mapping[str, Any]]) -> list[str]:
    return [entry["marketoGUID"] for entry in found]


def of_types(*types: int) -> list[dict[str, Any]]:
    return [entry for entry in SAMPLE if entry["activityTypeId"] in types]


# Every one of them


@EACH
def test_each_needs_a_permission(shared: Instance, lookup: Lookup) -> None:
    for user in ("leads", "marketer", "objects"):
        assert refusal(shared.get(lookup.path, user=user)) == ("603", "Access denied")
    assert refusal(shared.get(lookup.path, user=None))[0] == "603"
    for user in ("etl", "writer", "activities"):
        answer = shared.get(lookup.path, user=user, params=parameters(shared, lookup))
        assert answer.json()["success"] is True


@EACH
def test_each_names_the_parameter_that_is_missing(shared: Instance, lookup: Lookup) -> None:
    given = parameters(shared, lookup)
    for name in given:
        for value in (
            {},
            {name: ""},
            *([] if "Token" in name or "since" in name else [{name: ","}]),
        ):
            rest = {key: text for key, text in given.items() if key != name} | value
            code, message = refusal(shared.get(lookup.path, params=rest))
            assert (code, message) == ("1002", f"Missing value for required parameter '{name}'")


@EACH
def test_each_is_answered_to_a_form_and_ignores_what_clients_add(
    shared: Instance, lookup: Lookup
) -> None:
    given = parameters(shared, lookup)
    wanted = shared.get(lookup.path, params=given).json()
    for answer in (
        shared.get(lookup.path, params={**given, "maxReturn": ["3", "x"], "filterType": "x"}),
        shared.post(lookup.path, params={"_method": "GET"}, data=given),
        shared.post(lookup.path, data={"_method": "get", **given}),
    ):
        body = answer.json()
        assert {**body, "requestId": ""} == {**wanted, "requestId": ""}
    assert refusal(shared.post(lookup.path, data=given))[0] == "605"


@EACH
def test_each_is_documented_with_what_it_reads(lookup: Lookup) -> None:
    page = (DOCS / "protocol.md").read_text("utf-8")
    assert f"`{lookup.path}`" in page
    assert all(f"`{name}`" in page for name in lookup.names)


@PAGED
def test_an_empty_lake_has_none(own: Instance, lookup: Lookup) -> None:
    given = parameters(own, lookup)
    body = own.get(lookup.path, params=given).json()
    assert (body["result"], body["moreResult"]) == ([], False)
    assert body["nextPageToken"] == given["nextPageToken"]


@PAGED
def test_a_token_that_is_none_of_activities_is_refused(shared: Instance, lookup: Lookup) -> None:
    given = parameters(shared, lookup)
    lists = shared.get("/rest/v1/lists.json", params={"batchSize": 1}).json()["nextPageToken"]
    good = given["nextPageToken"]

    def made(*place: Any) -> str:
        text = json.dumps(place).encode()
        return base64.urlsafe_b64encode(text).decode().rstrip("=")

    for wrong in (
        *("x", "WyJhIl0", lists, good[:-3], f"{good}AAAA", "é", "[]"),
        made("leads", "1", ""),
        made("activities", "1"),
        made("activities", "", ""),
        made("activities", "soon", ""),
        made("activities", "9" * 30, ""),
        made("activities", "-" + "9" * 30, ""),
        made("activities", "9" * 5_000, ""),
        made("activities", 1, 2),
        made("activities", "1", "\ud800"),
    ):
        code, message = refusal(
            shared.post(lookup.path, data={"_method": "GET", **given, "nextPageToken": wrong})
        )
        assert code == "1003"
        assert "'nextPageToken'" in message


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (TOKEN, {"sinceDatetime": "yesterday"}),
        (TOKEN, {"sinceDatetime": "2026-02-30T00:00:00Z"}),
        (ACTIVITIES, {"activityTypeIds": "1,x"}),
        (ACTIVITIES, {"activityTypeIds": str(2**63)}),
        (ACTIVITIES, {"activityTypeIds": "1", "leadIds": "1.5"}),
        (ACTIVITIES, {"activityTypeIds": "1", "assetIds": "a"}),
        (ACTIVITIES, {"activityTypeIds": "1", "listId": "1001,1002"}),
        (ACTIVITIES, {"activityTypeIds": "1", "batchSize": "0"}),
        (CHANGES, {"fields": "email", "leadIds": "me"}),
        (CHANGES, {"fields": "email\0"}),
        (DELETED, {"batchSize": "all"}),
    ],
)
def test_a_value_of_a_wrong_type_is_named(
    shared: Instance, path: str, wrong: dict[str, str]
) -> None:
    code, message = refused(shared, path, **wrong)
    assert code == "1001"
    assert f"'{list(wrong)[-1]}'" in message


@pytest.mark.parametrize(
    ("path", "wrong", "said"),
    [
        (ACTIVITIES, {"activityTypeIds": "1,99999"}, "there is no activity type 99999"),
        (ACTIVITIES, {"activityTypeIds": ",".join(["1"] * 11)}, "11 values, where 10 are allowed"),
        (
            ACTIVITIES,
            {"activityTypeIds": "1", "leadIds": ",".join(map(str, range(31)))},
            "31 values, where 30 are allowed",
        ),
        (CHANGES, {"fields": "email", "leadIds": ["1"] * 31}, "31 values, where 30 are allowed"),
        (CHANGES, {"fields": "email", "listId": 7}, "there is no static list 7"),
        (ACTIVITIES, {"activityTypeIds": "1", "listId": 2**40}, f"no static list {2**40}"),
        (ACTIVITIES, {"activityTypeIds": "1", "listId": -1}, "there is no static list -1"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(
    shared: Instance, path: str, wrong: dict[str, Any], said: str
) -> None:
    code, message = refused(shared, path, **wrong)
    assert code == "1003"
    assert f"'{list(wrong)[-1]}'" in message
    assert said in message


def test_a_field_that_there_is_not_is_1006(shared: Instance) -> None:
    assert refused(shared, CHANGES, fields="email,shoe") == ("1006", "Field 'shoe' not found")


PLACES = st.lists(
    st.sampled_from(["activities", "leads", "", "0", "-1", "1768000000000000", "9" * 20, "\0"])
    | st.text(max_size=6)
    | st.integers(),
    max_size=4,
)
VALUES = (
    st.sampled_from([b"1", b"12,13", b"37", b"1001", b"-1", b"email", b"id,email", b"300", b","])
    | st.sampled_from([b"%00", b"%ff", b"%ed%a0%80", b"1,,2", b"9" * 30, b"2026-01-01", b"+"])
    | PLACES.map(lambda place: base64.urlsafe_b64encode(json.dumps(place).encode()).rstrip(b"="))
    | st.binary(max_size=8).map(lambda raw: b"".join(b"%%%02x" % byte for byte in raw))
)


@given(
    lookup=st.sampled_from(LOOKUPS),
    given=st.sets(st.sampled_from(range(3))),
    pairs=st.lists(
        st.tuples(st.sampled_from(sorted({n for e in LOOKUPS for n in e.names})), VALUES),
        max_size=3,
    ),
)
@examples(80)
def test_whatever_is_asked_is_answered(
    shared: Instance, lookup: Lookup, given: set[int], pairs: list[tuple[str, bytes]]
) -> None:
    """Some of what a look-up cannot do without is there, so that the rest is looked at."""
    needed = list(parameters(shared, lookup).items())
    kept = [(name, text.encode()) for n, (name, text) in enumerate(needed) if n in given]
    query = b"&".join(name.encode() + b"=" + value for name, value in [*kept, *pairs])
    assert shared.raw("GET", lookup.path, query=query).status == 200


# Activities


def test_activities_are_shown_with_their_attributes(shared: Instance) -> None:
    found = {entry["marketoGUID"]: entry for entry in walk(shared, activityTypeIds="1,10,104")}
    for entry in of_types(1, 10, 104)[:200]:
        shown = found[entry["marketoGUID"]]
        wanted = {
            "id": int(entry["marketoGUID"]),
            **{name: value for name, value in entry.items() if value is not None},
            "attributes": [{"name": n, "value": v} for n, v in entry["attributes"].items()],
        }
        wanted.pop("actionResult", None)
        assert shown == wanted


@pytest.mark.parametrize("size", [1_000, 300, 299, 77])
def test_pages_hold_each_activity_once_and_in_order(shared: Instance, size: int) -> None:
    seen = guids(walk(shared, activityTypeIds=",".join(map(str, TYPES)), batchSize=size))
    assert seen == guids(of_types(*TYPES))


def test_a_page_is_300_activities_at_most(shared: Instance) -> None:
    for size in (None, 1_000):
        body = ask(shared, activityTypeIds="1,6", batchSize=size)
        assert len(body["result"]) == 300
        assert body["moreResult"] is True


def test_activities_begin_at_the_moment_of_the_token(shared: Instance) -> None:
    wanted = of_types(1, 6)
    edge = wanted[50]["activityDate"]
    later = guids(entry for entry in wanted if entry["activityDate"] >= edge)
    for text in (edge, edge.replace("Z", "+00:00"), edge.replace("Z", "")):
        body = ask(shared, activityTypeIds="1,6", after=token(shared, text))
        assert guids(body["result"]) == later[:300]
    body = ask(shared, activityTypeIds="1,6", after=token(shared, "0001-01-01"))
    assert guids(body["result"]) == guids(wanted)[:300]
    body = ask(shared, activityTypeIds="1,6", after=token(shared, "9999-12-31T23:59:59Z"))
    assert (body["result"], body["moreResult"]) == ([], False)


@pytest.mark.parametrize(
    ("params", "fits"),
    [
        ({"leadIds": "1001"}, lambda entry: entry["leadId"] == 1001),
        ({"leadIds": ["1001", "1005,1006"]}, lambda entry: entry["leadId"] in (1001, 1005, 1006)),
        ({"leadIds": str(2**63 - 1)}, lambda _: False),
        ({"listId": LIST}, lambda entry: entry["leadId"] in MEMBERS),
        ({"listId": [7, LIST]}, lambda entry: entry["leadId"] in MEMBERS),
        ({"assetIds": "3"}, lambda entry: entry["primaryAttributeValueId"] == 3),
        (
            {"listId": LIST, "leadIds": "1001,1002,1003,1004,1005,1006"},
            lambda entry: entry["leadId"] in MEMBERS & set(range(1001, 1007)),
        ),
    ],
)
def test_activities_are_filtered(shared: Instance, params: dict[str, Any], fits: Any) -> None:
    for types in (["1", "6,12"], "1,6,12"):
        found = guids(walk(shared, activityTypeIds=types, **params))
        assert found == guids(entry for entry in of_types(1, 6, 12) if fits(entry))


def test_a_list_without_members_and_members_without_activities(own: Instance) -> None:
    load(own, activity("a"), activity("b", leadId=8))
    load(
        own, {"listId": LIST, "leadId": 8}, {"listId": LIST, "leadId": 9}, loader=load_list_members
    )
    assert guids(ask(own, activityTypeIds=1, listId=LIST)["result"]) == ["b"]
    assert ask(own, activityTypeIds=1, listId=1002)["result"] == []


def test_who_comes_again_with_the_last_token_gets_what_was_loaded_since(own: Instance) -> None:
    load(own, activity("b", second=5))
    body = ask(own, activityTypeIds=1)
    assert (guids(body["result"]), body["moreResult"]) == (["b"], False)
    again = ask(own, activityTypeIds=1, after=body["nextPageToken"])
    assert (again["result"], again["nextPageToken"]) == ([], body["nextPageToken"])
    load(own, activity("a", second=5), activity("c", second=5), activity("d", second=6))
    later = ask(own, activityTypeIds=1, after=again["nextPageToken"])
    assert guids(later["result"]) == ["c", "d"], "what is dated before the place is not seen"


def test_pages_hold_each_activity_once_while_activities_are_loaded(own: Instance) -> None:
    load(own, *(activity(f"k{n:02}", second=n) for n in range(0, 40, 2)))
    seen: list[str] = []
    body = ask(own, activityTypeIds=1, batchSize=3)
    for n in range(1, 100):
        seen += guids(body["result"])
        if not body["moreResult"]:
            break
        load(own, activity(f"n{n:02}", second=n), activity("k38", second=38, attributes={"n": n}))
        body = ask(own, activityTypeIds=1, batchSize=3, after=body["nextPageToken"])
    assert [guid for guid in seen if guid[0] == "k"] == [f"k{n:02}" for n in range(0, 40, 2)]
    assert len(seen) == len(set(seen))


def test_every_activity_has_a_number(own: Instance) -> None:
    """Ids are integers, and those of different activities differ."""
    given = ["1", "01", "0", "9" * 19, str(2**63 - 1), str(2**63), "9" * 30, "1" + "0" * 30]
    given += ["a3f4", "-1", "٣", " 1", "1.0"]
    load(own, *(activity(guid) for guid in given))
    found = {entry["marketoGUID"]: entry["id"] for entry in walk(own, activityTypeIds=1)}
    assert sorted(found) == sorted(given)
    assert [found[text] for text in ("0", "1", str(2**63 - 1))] == [0, 1, 2**63 - 1]
    assert len(set(found.values())) == len(given)
    assert all(0 <= number < 2**63 for number in found.values())


def test_attributes_of_every_kind_are_answered(own: Instance) -> None:
    deep = "[" * 900 + "]" * 900
    raw = (
        '{"text": "a,\\"b\\"\\n", "none": null, "yes": true, "zero": 0, "part": 1.5, "": "",'
        f' "large": {"9" * 5_000}, "huge": 1e999, "many": [1, {{"a": 2}}],'
        f' "deep": {deep}}}'
    )
    load(own, activity("1", attributes=raw), activity("2"))
    first, second = walk(own, activityTypeIds=1)
    found = {entry["name"]: entry["value"] for entry in first["attributes"]}
    assert found == {
        "text": 'a,"b"\n',
        "none": None,
        "yes": True,
        "zero": 0,
        "part": 1.5,
        "": "",
        "large": "9" * 5_000,
        "huge": "1e999",
        "many": '[1, {"a": 2}]',
        "deep": deep,
    }
    assert second["attributes"] == []
    assert not {"campaignId", "primaryAttributeValue", "primaryAttributeValueId"} & set(second)


# Changes of leads


def change(guid: str, field: int | None, name: str | None, **attributes: Any) -> dict[str, Any]:
    return activity(
        guid,
        kind=13,
        primaryAttributeValueId=field,
        primaryAttributeValue=name,
        attributes=attributes,
    )


def test_changes_have_what_a_field_was_and_is(shared: Instance) -> None:
    fields = {
        entry["id"]: entry["rest"]["name"]
        for entry in result(shared.get("/rest/v1/leads/describe.json"))
    }
    ids = sorted({entry["primaryAttributeValueId"] for entry in of_types(13)})
    names = [fields[number] for number in ids]
    found = list(walk(shared, CHANGES, fields=",".join(names), batchSize=100))
    assert guids(found) == guids(of_types(12, 13))
    given = {entry["marketoGUID"]: entry for entry in SAMPLE}
    for shown in found:
        entry = given[shown["marketoGUID"]]
        if shown["activityTypeId"] == 12:
            assert shown["fields"] == []
            continue
        (field,) = shown["fields"]
        old = entry["attributes"]["Old Value"]
        assert field == {
            "id": entry["primaryAttributeValueId"],
            "name": fields[entry["primaryAttributeValueId"]],
            "newValue": entry["attributes"]["New Value"] or "",
            **({} if old is None else {"oldValue": old}),
        }
        assert [each["name"] for each in shown["attributes"]] == ["Reason", "Source"]


def test_changes_are_of_the_fields_that_are_asked_for(shared: Instance) -> None:
    chosen = of_types(13)[0]["primaryAttributeValueId"]
    described = result(shared.get("/rest/v1/leads/describe.json"))
    (name,) = [entry["rest"]["name"] for entry in described if entry["id"] == chosen]
    wanted = [
        entry
        for entry in of_types(12, 13)
        if entry["activityTypeId"] == 12 or entry["primaryAttributeValueId"] == chosen
    ]
    assert guids(walk(shared, CHANGES, fields=name)) == guids(wanted)
    few = [entry for entry in wanted if entry["leadId"] in MEMBERS]
    assert guids(walk(shared, CHANGES, fields=[name, name], listId=LIST)) == guids(few)
    one = few[0]["leadId"]
    assert guids(walk(shared, CHANGES, fields=name, leadIds=one, listId=LIST)) == guids(
        entry for entry in few if entry["leadId"] == one
    )


def test_a_change_names_its_field_by_id_or_by_the_name_for_people(own: Instance) -> None:
    (email,) = [
        entry
        for entry in result(own.get("/rest/v1/leads/describe.json"))
        if entry["rest"]["name"] == "email"
    ]
    load(
        own,
        change("1", email["id"], None, **{"New Value": "a@b.example"}),
        change("2", None, email["displayName"], **{"New Value": 0, "Old Value": False}),
        change("3", email["id"], "Anything", **{"New Value": None, "Old Value": None}),
        change("4", None, None, **{"New Value": "x"}),
        change("5", 2, "Company Name", **{"New Value": "x"}),
        change("6", email["id"], None),
    )
    found = {entry["marketoGUID"]: entry["fields"] for entry in walk(own, CHANGES, fields="email")}
    named = {"id": email["id"], "name": "email"}
    assert found == {
        "1": [{**named, "newValue": "a@b.example"}],
        "2": [{**named, "newValue": "0", "oldValue": "false"}],
        "3": [{**named, "newValue": ""}],
        "6": [{**named, "newValue": ""}],
    }


# Deletions


def test_deletions_are_shown_and_nothing_else(own: Instance) -> None:
    gone = activity("2", second=2, kind=37, primaryAttributeValueId=7, primaryAttributeValue="Ann")
    load(own, activity("1"), gone, activity("3", second=3, kind=37, leadId=8))
    body = ask(own, DELETED, batchSize=1)
    assert body["moreResult"] is True
    (first,) = body["result"]
    assert first == {**gone, "id": 2, "attributes": []}
    rest = ask(own, DELETED, after=body["nextPageToken"])
    assert (guids(rest["result"]), rest["moreResult"]) == (["3"], False)
    assert guids(walk(own, DELETED)) == ["2", "3"]
    assert guids(walk(own, activityTypeIds=1)) == ["1"]


def test_deletions_are_activities_like_others_unless_a_limit_refuses_them(own: Instance) -> None:
    load(own, activity("1"), activity("2", second=2, kind=37))
    assert guids(walk(own, activityTypeIds="1,37")) == ["1", "2"]
    assert guids(walk(own, activityTypeIds="37")) == ["2"]
    override_limits(own.database, "default", {"delete_lead_type": False})
    code, message = refused(own, ACTIVITIES, activityTypeIds="1,37")
    assert code == "1003"
    assert "/rest/v1/activities/deletedleads.json" in message


def test_a_token_is_the_same_for_all_three(own: Instance) -> None:
    load(own, activity("1", second=1), activity("2", second=2, kind=37), activity("3", second=3))
    place = ask(own, activityTypeIds=1, batchSize=1)["nextPageToken"]
    assert guids(ask(own, DELETED, after=place)["result"]) == ["2"]
    assert guids(ask(own, CHANGES, fields="email", after=place)["result"]) == []
