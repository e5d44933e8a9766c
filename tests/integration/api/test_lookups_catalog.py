"""What the catalog answers; the instance holds every answer against its published shape."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples
from tests.support.instance import USERS, Instance, RawAnswer, refusal, result
from tests.support.paths import DOCS

from outhaul import sample
from outhaul.api.lookups import families
from outhaul.api.lookups.answering import Lookup
from outhaul.api.lookups.assets import form as shown_form
from outhaul.catalog.built_in import standard_entries
from outhaul.catalog.entries import Asset, AssetType, parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.protocol.answers.envelope import NO_ASSETS

SAMPLE = sample.catalog()
OWN = ("fields", "lists", "campaigns", "assets")
LOOKUPS = [lookup for name in OWN for lookup in families()[name]]
EACH = pytest.mark.parametrize("lookup", LOOKUPS, ids=lambda lookup: lookup.path)

LISTS = "/rest/v1/lists"
CAMPAIGNS = "/rest/v1/campaigns"
ASSET = "/rest/asset/v1"
FAMILY = pytest.mark.parametrize(
    ("name", "kind"), [("program", "programs"), ("form", "forms"), ("staticList", "staticLists")]
)
UNKNOWN = 2**31 - 1


def user_of(lookup: Lookup) -> str:
    return "etl" if lookup.permissions & {*USERS["etl"]} else "marketer"


def url_of(lookup: Lookup) -> str:
    path = lookup.path.replace("{listId}", "1001").replace("{campaignId}", "2001")
    path = path.replace("smartCampaign/{id}", "smartCampaign/2001")
    return path.replace("{id}", "1001").replace("{customObjectName}", sample.BOATS)


def needed(lookup: Lookup) -> dict[str, str]:
    """Return the parameters that a look-up cannot do without."""
    values = {"name": "Website", "tagType": "Presenter", "tagValue": "Dennis"}
    return {
        entry.name: values[entry.name]
        for entry in lookup.parameters
        if entry.required and entry.location == "query"
    }


def by_id(kind: str) -> list[dict[str, Any]]:
    return sorted(SAMPLE[kind], key=lambda entry: entry["id"])


def ids(found: list[dict[str, Any]]) -> list[int]:
    return [entry["id"] for entry in found]


def marketing(instance: Instance, path: str, **params: Any) -> list[dict[str, Any]]:
    return result(instance.get(path, user="marketer", params=params))


def nothing_of(instance: Instance, path: str, **params: Any) -> bool:
    body = instance.get(path, user="marketer", params=params).json()
    return body["success"] and "result" not in body and body["warnings"] == [NO_ASSETS]


# Every one of them


@EACH
def test_each_is_answered_and_ignores_what_clients_add(shared: Instance, lookup: Lookup) -> None:
    names = needed(lookup)
    params = {**names, "_method": "GET", "maxResult": ["3", "x"], "access_tokenX": ""}
    plain = shared.get(url_of(lookup), user=user_of(lookup), params=names).json()
    answer = shared.get(url_of(lookup), user=user_of(lookup), params=params).json()
    assert answer["success"] is True
    assert answer.get("result") == plain.get("result")


@EACH
def test_each_takes_a_body_and_ignores_it(shared: Instance, lookup: Lookup) -> None:
    for content_type, body in ((b"application/json", b"{"), (b"text/plain", b"maxReturn=x")):
        answer = shared.raw(
            "GET",
            url_of(lookup),
            query=b"name=Website&tagType=a&tagValue=b",
            headers=[(b"content-type", content_type)],
            body=(body,),
            user=user_of(lookup),
        )
        assert answer.json()["success"] is True


@EACH
def test_each_needs_a_permission(shared: Instance, lookup: Lookup) -> None:
    other = "marketer" if user_of(lookup) == "etl" else "leads"
    assert refusal(shared.get(url_of(lookup), user=other)) == ("603", "Access denied")
    assert refusal(shared.get(url_of(lookup), user=None))[0] == "603"


@EACH
def test_each_has_no_other_method(shared: Instance, lookup: Lookup) -> None:
    for method in ("POST", "PUT", "DELETE"):
        code, message = refusal(shared.call(method, url_of(lookup), user=user_of(lookup)))
        assert code == "605"
        assert message.startswith(f"Request method '{method}' not supported for /rest/")


@EACH
def test_each_is_answered_to_a_form_that_says_it_is_a_get(shared: Instance, lookup: Lookup) -> None:
    user, url = user_of(lookup), url_of(lookup)
    given = needed(lookup)
    wanted = shared.get(url, user=user, params=given).json()
    for query, form in (
        ({"_method": "GET"}, given),
        ({}, {"_method": "get", **given}),
        ({"_method": "GET", **given}, {}),
    ):
        answer = shared.post(url, user=user, params=query, data=form).json()
        assert answer.get("result") == wanted.get("result")
        assert answer["success"] is True
    other = "marketer" if user == "etl" else "leads"
    assert refusal(shared.post(url, user=other, params={"_method": "GET"}))[0] == "603"


def test_a_form_has_room_for_what_does_not_fit_into_a_uri(shared: Instance) -> None:
    many = ",".join(map(str, range(1_001, 4_000)))
    assert shared.get(f"{LISTS}.json", params={"id": many}).status_code == 414
    answer = shared.post(f"{LISTS}.json", params={"_method": "GET"}, data={"id": many})
    assert ids(result(answer)) == ids(by_id("staticLists"))
    for body in (b"id=\xff%ff", b"{", b"id=" + b"1001," * 3):
        assert shared.post(f"{LISTS}.json?_method=GET", content=body).status_code == 200


@EACH
def test_each_is_documented_with_what_it_reads(lookup: Lookup) -> None:
    page = (DOCS / "protocol.md").read_text("utf-8")
    assert f"`{lookup.path}`" in page
    assert all(f"`{name}`" in page for name in lookup.names)


def test_activity_types_are_for_those_who_may_read_activities(shared: Instance) -> None:
    path = "/rest/v1/activities/types.json"
    assert result(shared.get(path, user="activities"))
    assert refusal(shared.get(path, user="leads"))[0] == "603"
    assert refusal(shared.get("/rest/v1/leads/describe.json", user="activities"))[0] == "603"


PARAMETERS = sorted({name for lookup in LOOKUPS for name in lookup.names})
VALUES = (
    st.sampled_from([b"1", b"1001", b"-1", b"true", b"draft", b"id", b"workspace", b"2026-01-01"])
    | st.sampled_from([b"%00", b"%ff", b"%ed%a0%80", b"1,,2", b"9" * 30, b"W10", b"+", b"%2B"])
    | st.binary(max_size=8).map(lambda raw: b"".join(b"%%%02x" % byte for byte in raw))
)


@given(
    lookup=st.sampled_from(LOOKUPS),
    name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), max_size=8),
    pairs=st.lists(st.tuples(st.sampled_from(PARAMETERS), VALUES), max_size=4),
)
@examples(150)
def test_whatever_is_asked_is_answered(
    shared: Instance, lookup: Lookup, name: str, pairs: list[tuple[str, bytes]]
) -> None:
    query = b"&".join(parameter.encode() + b"=" + value for parameter, value in pairs)
    before, brace, after = lookup.path.partition("{")
    path = before + name + after.partition("}")[2] if brace else before
    answer = shared.raw("GET", path, query=query, user=user_of(lookup))
    assert answer.status == 200


# Fields


def test_activity_types_are_listed_with_their_attributes(shared: Instance) -> None:
    found = {entry["id"]: entry for entry in result(shared.get("/rest/v1/activities/types.json"))}
    assert list(found) == [entry.id for entry in standard_entries().activity_types]
    assert found[1]["primaryAttribute"] == {"name": "Webpage ID", "dataType": "integer"}
    assert {"name": "User Agent", "dataType": "string"} in found[1]["attributes"]
    assert "primaryAttribute" not in found[12]


def test_activity_types_are_paged_by_offset_to_an_empty_page(shared: Instance) -> None:
    path = "/rest/v1/activities/types.json"
    whole = result(shared.get(path))
    assert result(shared.get(path, params={"offset": 5})) == whole[5:]
    for offset in (len(whole), 10**6, 2**63 - 1):
        assert result(shared.get(path, params={"offset": offset})) == []


@pytest.mark.parametrize("offset", ["-1", "x", "1.5", "9" * 40, "²", "2 3"])
def test_an_offset_that_is_no_number_is_named(shared: Instance, offset: str) -> None:
    for path in ("/rest/v1/activities/types.json", f"{ASSET}/programs.json"):
        user = "etl" if "types" in path else "marketer"
        code, message = refusal(shared.get(path, user=user, params={"offset": offset}))
        assert code == "1001"
        assert "'offset'" in message


def test_the_fields_of_leads_are_described(shared: Instance) -> None:
    found = {entry["rest"]["name"]: entry for entry in result(shared.get(describe()))}
    assert list(found) == [entry.name for entry in standard_entries().lead_fields]
    assert found["company"] == {
        "id": 2,
        "displayName": "Company Name",
        "dataType": "string",
        "length": 255,
        "rest": {"name": "company", "readOnly": False},
        "soap": {"name": "Company", "readOnly": False},
    }


def test_the_fields_of_leads_are_described_again(shared: Instance) -> None:
    (lead,) = result(shared.get(describe("2")))
    assert lead["name"] == "API Lead"
    assert ["email"] in lead["searchableFields"]
    names = [entry["name"] for entry in lead["fields"]]
    assert names == [entry["rest"]["name"] for entry in result(shared.get(describe()))]
    assert {name for (name,) in lead["searchableFields"]} <= set(names)
    fields = {entry["name"]: entry for entry in lead["fields"]}
    assert fields["company"] == {
        "name": "company",
        "displayName": "Company Name",
        "dataType": "string",
        "length": 255,
        "updateable": True,
        "crmManaged": False,
    }
    assert fields["id"]["updateable"] is False


def test_fields_and_types_that_were_loaded_are_described(instance: Instance) -> None:
    field = {"id": 9001, "displayName": "Shoe", "dataType": "float", "rest": {"name": "shoe"}}
    kind = {"id": 100_001, "name": "Bought shoes", "primaryAttribute": None}
    catalog = Catalog(instance.database, "default")
    catalog.store(parse_catalog({"result": [field]}))
    catalog.store(parse_catalog({"result": [kind]}))
    assert result(instance.get(describe()))[-1] == field
    assert result(instance.get("/rest/v1/activities/types.json"))[-1] == {
        "id": 100_001,
        "name": "Bought shoes",
        "attributes": [],
    }
    (lead,) = result(instance.get(describe("2")))
    assert lead["fields"][-1]["name"] == "shoe"
    assert lead["fields"][-1]["updateable"] is True


def describe(version: str = "") -> str:
    return f"/rest/v1/leads/describe{version}.json"


# Lists and campaigns, as the lead database shows them


def test_static_lists_are_shown_with_their_program(shared: Instance) -> None:
    lists = result(shared.get(f"{LISTS}.json"))
    assert ids(lists) == ids(by_id("staticLists"))
    first, *_, last = by_id("staticLists")
    assert lists[0] == {
        "id": first["id"],
        "name": first["name"],
        "programName": first["program"],
        "workspaceName": "Default",
        "createdAt": first["createdAt"],
        "updatedAt": first["updatedAt"],
    }
    assert last["name"] == lists[-1]["name"]
    assert "programName" not in lists[-1]


def test_campaigns_are_shown_with_their_program(shared: Instance) -> None:
    campaigns = marketing(shared, f"{CAMPAIGNS}.json")
    assert ids(campaigns) == ids(by_id("campaigns"))
    programs = {entry["name"]: entry["id"] for entry in SAMPLE["programs"]}
    for shown, entry in zip(campaigns, by_id("campaigns"), strict=True):
        assert shown == {
            "id": entry["id"],
            "name": entry["name"],
            "type": entry["type"],
            "programName": entry["program"],
            "programId": programs[entry["program"]],
            "workspaceName": "Default",
            "createdAt": entry["createdAt"],
            "updatedAt": entry["updatedAt"],
            "active": entry["active"],
        }


@pytest.mark.parametrize(("path", "user"), [(LISTS, "etl"), (CAMPAIGNS, "marketer")])
def test_one_is_shown_by_its_id(shared: Instance, path: str, user: str) -> None:
    for entry in result(shared.get(f"{path}.json", user=user)):
        assert result(shared.get(f"{path}/{entry['id']}.json", user=user)) == [entry]


@pytest.mark.parametrize(
    ("path", "user", "what"), [(LISTS, "etl", "static list"), (CAMPAIGNS, "marketer", "campaign")]
)
@pytest.mark.parametrize("unknown", [0, -1, UNKNOWN, 2**40, 2**63 - 1])
def test_one_that_is_not_there_is_1013(
    shared: Instance, path: str, user: str, what: str, unknown: int
) -> None:
    answer = shared.get(f"{path}/{unknown}.json", user=user)
    assert refusal(answer) == ("1013", f"Object not found: there is no {what} with id {unknown}")


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        (f"{LISTS}/x.json", "listId"),
        (f"{LISTS}/{2**64}.json", "listId"),
        (f"{CAMPAIGNS}/1.5.json", "campaignId"),
        (f"{ASSET}/program/x.json", "id"),
        (f"{ASSET}/form/1e3.json", "id"),
        (f"{ASSET}/staticList/--1.json", "id"),
        (f"{LISTS}.json?id=1,x", "id"),
        (f"{LISTS}.json?batchSize=0", "batchSize"),
        (f"{LISTS}.json?batchSize=-1", "batchSize"),
        (f"{LISTS}.json?name=a%00", "name"),
        (f"{CAMPAIGNS}.json?isTriggerable=maybe", "isTriggerable"),
        (f"{CAMPAIGNS}.json?batchSize=many", "batchSize"),
        (f"{ASSET}/programs.json?maxReturn=0", "maxReturn"),
        (f"{ASSET}/forms.json?maxReturn=x", "maxReturn"),
        (f"{ASSET}/staticLists.json?earliestUpdatedAt=yesterday", "earliestUpdatedAt"),
        (f"{ASSET}/programs.json?latestUpdatedAt=2026-13-01", "latestUpdatedAt"),
        (f"{ASSET}/programs.json?filterType=id&filterValues=1,a", "filterValues"),
        (f"{ASSET}/form/byName.json?name=%00", "name"),
    ],
)
def test_a_value_of_a_wrong_type_is_named(shared: Instance, path: str, parameter: str) -> None:
    user = "etl" if path.startswith(LISTS) else "marketer"
    code, message = refusal(shared.get(path, user=user))
    assert code == "1001"
    assert f"'{parameter}'" in message


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({"id": "1001"}, [1001]),
        ({"id": "1001,1003"}, [1001, 1003]),
        ({"id": ["1001", "1003", "1003"]}, [1001, 1003]),
        ({"id": f"1001,{2**40}"}, [1001]),
        ({"id": str(2**40)}, []),
        ({"name": "Registrants"}, [1003]),
        ({"name": "Registrants,Do Not Mail"}, [1003, 1004]),
        ({"name": "registrants"}, []),
        ({"programName": "Trade Fair Hannover"}, [1002]),
        ({"programName": "Webinar: Ropes & Rigging", "id": "1001"}, []),
        ({"workspaceName": "Default"}, [1001, 1002, 1003, 1004]),
        ({"workspaceName": "Asia"}, []),
        ({"id": "", "name": "", "workspaceName": ""}, [1001, 1002, 1003, 1004]),
    ],
)
def test_lists_are_filtered(shared: Instance, params: dict[str, Any], wanted: list[int]) -> None:
    assert ids(result(shared.get(f"{LISTS}.json", params=params))) == wanted


def test_a_name_with_a_comma_is_one_name(shared: Instance) -> None:
    found = marketing(shared, f"{CAMPAIGNS}.json", programName="Spring Sale, 20 % off")
    assert [entry["programName"] for entry in found] == ["Spring Sale, 20 % off"]


def test_triggerable_campaigns_are_active_and_have_a_trigger(shared: Instance) -> None:
    wanted = [e["id"] for e in by_id("campaigns") if e["active"] and e["type"] == "trigger"]
    assert wanted
    for value in ("true", "True", "1"):
        assert ids(marketing(shared, f"{CAMPAIGNS}.json", isTriggerable=value)) == wanted
    assert len(marketing(shared, f"{CAMPAIGNS}.json", isTriggerable="false")) > len(wanted)


@pytest.mark.parametrize(("path", "kind"), [(LISTS, "staticLists"), (CAMPAIGNS, "campaigns")])
@pytest.mark.parametrize("size", [1, 2, 3, 300, 10**6])
def test_pages_hold_each_record_once(shared: Instance, path: str, kind: str, size: int) -> None:
    user = "etl" if path == LISTS else "marketer"
    seen: list[int] = []
    params: dict[str, Any] = {"batchSize": size}
    while True:
        body = shared.get(f"{path}.json", user=user, params=params).json()
        assert 0 < len(body["result"]) <= size
        seen += ids(body["result"])
        if "nextPageToken" not in body:
            break
        params["nextPageToken"] = body["nextPageToken"]
    assert seen == ids(by_id(kind))


def test_pages_hold_each_record_once_while_records_are_loaded(instance: Instance) -> None:
    """Each page is followed by a load: of one list before its place, and of one after all."""
    catalog = Catalog(instance.database, "default")
    params: dict[str, Any] = {"batchSize": 2}
    seen: list[int] = []
    for new in range(5):
        body = instance.get(f"{LISTS}.json", params=params).json()
        seen += ids(body["result"])
        if "nextPageToken" not in body:
            break
        params["nextPageToken"] = body["nextPageToken"]
        before, after = {"id": 10 + new, "name": "A"}, {"id": 5000 + new, "name": "B"}
        catalog.store(parse_catalog({"staticLists": [before, after]}))
    assert seen == [*ids(by_id("staticLists")), 5000, 5001]


def test_a_page_is_300_records_at_most(instance: Instance) -> None:
    lists = [{"id": 5000 + n, "name": f"List {n}"} for n in range(310)]
    Catalog(instance.database, "default").store(parse_catalog({"staticLists": lists}))
    for params in ({}, {"batchSize": 1000}):
        body = instance.get(f"{LISTS}.json", params=params).json()
        assert len(body["result"]) == 300
        rest = instance.get(f"{LISTS}.json", params={"nextPageToken": body["nextPageToken"]})
        assert len(result(rest)) == 14
        assert "nextPageToken" not in rest.json()


def test_a_token_that_is_none_of_this_list_is_refused(shared: Instance) -> None:
    first = shared.get(f"{CAMPAIGNS}.json", user="marketer", params={"batchSize": 1}).json()
    for token in ("x", "WyJhIl0", first["nextPageToken"], first["nextPageToken"][:-3]):
        code, message = refusal(shared.get(f"{LISTS}.json", params={"nextPageToken": token}))
        assert code == "1003"
        assert "'nextPageToken'" in message


# Assets


@FAMILY
def test_assets_are_browsed_to_the_end_and_past_it(shared: Instance, name: str, kind: str) -> None:
    wanted = ids(by_id(kind))
    path = f"{ASSET}/{name}s.json"
    assert ids(marketing(shared, path)) == wanted
    for size in (1, 3, 200, 10**6):
        seen: list[int] = []
        while not nothing_of(shared, path, maxReturn=size, offset=len(seen)):
            seen += ids(marketing(shared, path, maxReturn=size, offset=len(seen)))
        assert seen == wanted


def test_a_page_of_assets_is_20_unless_asked_and_200_at_most(instance: Instance) -> None:
    forms = [{"id": 5000 + n, "name": f"Form {n}"} for n in range(210)]
    Catalog(instance.database, "default").store(parse_catalog({"forms": forms}))
    assert len(marketing(instance, f"{ASSET}/forms.json")) == 20
    assert len(marketing(instance, f"{ASSET}/forms.json", maxReturn=1000)) == 200
    assert len(marketing(instance, f"{ASSET}/forms.json", maxReturn=["x", "7"])) == 7


@FAMILY
def test_an_asset_is_found_by_its_id_and_its_name(shared: Instance, name: str, kind: str) -> None:
    for entry in SAMPLE[kind]:
        (found,) = marketing(shared, f"{ASSET}/{name}/{entry['id']}.json")
        assert marketing(shared, f"{ASSET}/{name}/byName.json", name=entry["name"]) == [found]
        assert found["id"] == entry["id"]
        assert found["name"] == entry["name"]
        assert found["description"] == entry.get("description", "")
        assert found["createdAt"] == entry["createdAt"] + "+0000"
        assert found["updatedAt"] == entry["updatedAt"] + "+0000"


@FAMILY
def test_an_asset_that_is_not_there_is_a_warning(shared: Instance, name: str, kind: str) -> None:
    for unknown in (0, -5, UNKNOWN, 2**40):
        assert nothing_of(shared, f"{ASSET}/{name}/{unknown}.json")
    missing = SAMPLE[kind][0]["name"].upper()
    assert nothing_of(shared, f"{ASSET}/{name}/byName.json", name=missing)
    assert refusal(shared.get(f"{ASSET}/{name}/byName.json", user="marketer")) == (
        "1002",
        "Missing value for required parameter 'name'",
    )


def test_an_asset_is_in_its_program_or_in_the_folder(shared: Instance) -> None:
    lists = {e["name"]: e for e in marketing(shared, f"{ASSET}/staticLists.json")}
    assert lists["Newsletter Readers"]["folder"] == {
        "type": "Program",
        "id": 1002,
        "value": 1002,
        "folderName": "Monthly Newsletter",
    }
    assert lists["Do Not Mail"]["folder"]["type"] == "Folder"
    assert lists["Do Not Mail"]["workspace"] == "Default"


def test_a_program_has_its_channel_and_type(shared: Instance) -> None:
    browsed = {e["name"]: e for e in marketing(shared, f"{ASSET}/programs.json")}
    wanted = {
        "Website": ("Web Content", "program", "default"),
        "Trade Fair Hannover": ("Tradeshow", "event", "event"),
        "Webinar: Ropes & Rigging": ("Webinar", "webinar", "webinar"),
        "Welcome Series": ("Nurture", "nurture", "nurture"),
    }
    for name, (channel, listed, alone) in wanted.items():
        assert browsed[name]["channel"] == channel
        assert browsed[name]["type"] == listed
        (shown,) = marketing(shared, f"{ASSET}/program/{browsed[name]['id']}.json")
        assert shown["type"] == alone
        assert shown["tags"] == shown["costs"] == []


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({"filterType": "id", "filterValues": "1001,1004"}, [1001, 1004]),
        ({"filterType": "programId", "filterValues": ["1002", "1003"]}, [1002, 1003]),
        ({"filterType": "workspace", "filterValues": "Default", "maxReturn": 2}, [1001, 1002]),
    ],
)
def test_programs_are_filtered(shared: Instance, params: dict[str, Any], wanted: list[int]) -> None:
    assert ids(marketing(shared, f"{ASSET}/programs.json", **params)) == wanted


def test_filters_of_programs_that_cannot_be_met_are_refused(shared: Instance) -> None:
    def answer(**params: str) -> tuple[str, str]:
        return refusal(shared.get(f"{ASSET}/programs.json", user="marketer", params=params))

    assert answer(filterType="folderId", filterValues="1")[0] == "1003"
    assert answer(filterType="id") == (
        "1002",
        "Missing value for required parameter 'filterValues'",
    )
    assert nothing_of(shared, f"{ASSET}/programs.json", filterType="workspace", filterValues="Asia")


@pytest.mark.parametrize(("name", "kind"), [("program", "programs"), ("staticList", "staticLists")])
def test_assets_are_browsed_by_their_latest_change(shared: Instance, name: str, kind: str) -> None:
    for edge in SAMPLE[kind]:
        moment = edge["updatedAt"]
        offset = moment.replace("Z", "+00:00")
        later = [e["id"] for e in by_id(kind) if e["updatedAt"] >= moment]
        earlier = [e["id"] for e in by_id(kind) if e["updatedAt"] <= moment]
        path = f"{ASSET}/{name}s.json"
        fraction = moment.replace("Z", ".545071+00:00")
        for text in (moment, offset, f"{moment}+0000", fraction):
            assert ids(marketing(shared, path, earliestUpdatedAt=text)) == later
            assert ids(marketing(shared, path, latestUpdatedAt=text)) == earlier
        unescaped = shared.get(f"{path}?earliestUpdatedAt={moment}+0000", user="marketer")
        assert ids(result(unescaped)) == later
    assert nothing_of(shared, f"{ASSET}/{name}s.json", earliestUpdatedAt="2030-01-01")


def test_an_asset_without_dates_is_in_every_window(instance: Instance) -> None:
    catalog = Catalog(instance.database, "default")
    catalog.store(parse_catalog({"programs": [{"id": 5, "name": "Undated"}]}))
    for window in ({"earliestUpdatedAt": "2030-01-01"}, {"latestUpdatedAt": "1990-01-01"}):
        (found,) = marketing(instance, f"{ASSET}/programs.json", **window)
        assert found["id"] == 5
        assert found["updatedAt"] == "2000-01-01T00:00:00Z+0000"


def test_forms_are_drafts_or_approved(instance: Instance) -> None:
    catalog = Catalog(instance.database, "default")
    draft = {"id": 5, "name": "Idea", "status": "Draft", "theme": "plain", "fontSize": 13}
    catalog.store(parse_catalog({"forms": [draft]}))
    path = f"{ASSET}/forms.json"
    (found,) = marketing(instance, path, status="draft")
    assert (found["id"], found["status"]) == (5, "draft")
    assert (found["theme"], found["fontSize"]) == ("plain", "13px")
    approved = marketing(instance, path, status="Approved")
    assert ids(approved) == ids(by_id("forms"))
    assert {form["status"] for form in approved} == {"approved"}
    assert len(marketing(instance, path)) == len(approved) + 1
    assert nothing_of(instance, f"{ASSET}/form/5.json", status="approved")
    assert nothing_of(instance, f"{ASSET}/form/byName.json", name="Idea", status="approved")
    assert ids(marketing(instance, f"{ASSET}/form/5.json", status="draft")) == [5]
    answer = instance.get(path, user="marketer", params={"status": "x"})
    assert refusal(answer)[0] == "1003"


def test_assets_of_two_programs_may_share_a_name(instance: Instance) -> None:
    twins = [
        {"id": 5, "name": "Guests", "program": "Website"},
        {"id": 6, "name": "Guests", "program": "No such program"},
    ]
    Catalog(instance.database, "default").store(parse_catalog({"staticLists": twins}))
    found = marketing(instance, f"{ASSET}/staticList/byName.json", name="Guests")
    assert [entry["folder"]["id"] for entry in found] == [1001, 0]


def test_an_asset_whose_description_says_odd_things_is_shown(instance: Instance) -> None:
    odd = {"description": 1, "url": [], "workspace": {}, "type": None, "status": 3, "channel": 4}
    content = {kind: [{"id": 5, "name": "Odd", **odd}] for kind in ("programs", "forms")}
    catalog = Catalog(instance.database, "default")
    catalog.store(parse_catalog({**content, "staticLists": [{"id": 5, "name": "Odd", **odd}]}))
    for name in ("program", "form", "staticList"):
        assert ids(marketing(instance, f"{ASSET}/{name}/5.json")) == [5]
        assert 5 in ids(marketing(instance, f"{ASSET}/{name}s.json"))
    assert result(instance.get(f"{LISTS}/5.json"))[0]["workspaceName"] == "Default"


def test_the_catalog_of_another_subscription_is_not_seen(instance: Instance) -> None:
    """The other subscription has assets of ids of its own, and of ids that are ours."""
    with instance.database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO subscription (name, limit_overrides, created_at) "
            "VALUES ('other', '{}', '2026-01-01 00:00:00')"
        )
    lists = [{"id": 7, "name": "Theirs"}, {"id": 1001, "name": "Theirs too"}]
    Catalog(instance.database, "other").store(parse_catalog({"staticLists": lists}))
    assert ids(result(instance.get(f"{LISTS}.json"))) == ids(by_id("staticLists"))
    assert refusal(instance.get(f"{LISTS}/7.json"))[0] == "1013"
    assert nothing_of(instance, f"{ASSET}/staticList/7.json")
    assert nothing_of(instance, f"{ASSET}/staticList/byName.json", name="Theirs")


def test_an_answer_about_assets_has_its_arrays(shared: Instance) -> None:
    answer: RawAnswer = shared.raw("GET", f"{ASSET}/programs.json", user="marketer")
    body = answer.json()
    assert (body["errors"], body["warnings"]) == ([], [])


@pytest.mark.parametrize(("location", "shown"), [(True, 120), ("x", 120), (None, 120), (90, 90)])
def test_a_form_has_the_usual_look_where_its_own_is_of_another_type(
    location: object, shown: int
) -> None:
    entry = Asset(type=AssetType.FORM, id=1, name="x", description={"buttonLocation": location})
    assert shown_form(entry, {}).to_wire()["buttonLocation"] == shown
