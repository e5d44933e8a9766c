"""Custom objects by the values of a field, and by compound keys in a JSON body."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples
from tests.support.instance import LEAD_COUNT, NOW, Instance, Serve, refusal, result
from tests.support.loads import load_custom_objects
from tests.support.paths import DOCS

from outhaul import sample
from outhaul.api.lookups import families
from outhaul.catalog.entries import parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.lake.snapshot import Lake

BOATS = sorted(sample.boats(LEAD_COUNT, until=NOW), key=lambda boat: boat["marketoGUID"])
DEFAULT = ("marketoGUID", "hullNumber", "updatedAt", "createdAt")
PATH = f"/rest/v1/customobjects/{sample.BOATS}.json"
GUIDS = [boat["marketoGUID"] for boat in BOATS]

BERTHS = {
    "apiName": "berth_c",
    "idField": "marketoGUID",
    "dedupeFields": ["harbour", "number"],
    "fields": [
        {"name": "harbour", "displayName": "Harbour", "dataType": "string"},
        {"name": "number", "displayName": "Number", "dataType": "integer"},
        {"name": "seq", "displayName": "Seq", "dataType": "string"},
        {"name": "isFree", "displayName": "Is Free", "dataType": "boolean"},
    ],
}
BERTH_PATH = "/rest/v1/customobjects/berth_c.json"


def walk(instance: Instance, path: str = PATH, **params: Any) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    while True:
        body = instance.get(path, params=params).json()
        assert body["success"] is True, body
        assert body["moreResult"] is ("nextPageToken" in body)
        assert [entry["seq"] for entry in body["result"]] == list(range(len(body["result"])))
        seen += body["result"]
        if "nextPageToken" not in body:
            return seen
        params["nextPageToken"] = body["nextPageToken"]


def asked(instance: Instance, path: str = PATH, **body: Any) -> Any:
    """Call with a JSON body, as marketorestpython does."""
    return instance.post(path, params={"_method": "GET"}, json=body)


def guids(found: list[dict[str, Any]]) -> list[str]:
    return [entry["marketoGUID"] for entry in found]


@pytest.fixture
def berths(serve: Serve) -> Instance:
    """An instance with a type whose key has two fields."""
    instance = serve()
    instance.settings.lake_folder.unlink()
    catalog = Catalog(instance.database, "default")
    catalog.store(parse_catalog({"customObjects": [BERTHS]}))
    load(
        instance,
        *(
            {
                "marketoGUID": f"{n}",
                "harbour": harbour,
                "number": number,
                "seq": "x",
                "isFree": number == 1,
            }
            for n, (harbour, number) in enumerate(
                [("Kiel", 1), ("Kiel", 2), ("Bergen", 1), ("ber,gen", 2)]
            )
        ),
    )
    return instance


def load(instance: Instance, *records: Mapping[str, Any], api_name: str = "berth_c") -> None:
    path = instance.settings.lake_folder.parent / "records.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    lake = Lake(instance.settings.lake_folder / "default")
    catalog = Catalog(instance.database, "default")
    load_custom_objects(lake, catalog, path, NOW, lambda _: None, api_name=api_name)


@pytest.mark.parametrize("size", [300, 4, 1])
@pytest.mark.parametrize("name", ["idField", "idFields", "marketoGUID"])
def test_they_are_found_by_their_id(shared: Instance, name: str, size: int) -> None:
    wanted = GUIDS[::3]
    values = ",".join([*reversed(wanted), str(uuid.uuid4())])
    found = walk(shared, filterType=name, filterValues=values, batchSize=size)
    assert guids(found) == wanted
    by_guid = {boat["marketoGUID"]: boat for boat in BOATS}
    for entry in found:
        known = by_guid[entry["marketoGUID"]]
        assert entry == {"seq": entry["seq"], **{name: known[name] for name in DEFAULT}}


@pytest.mark.parametrize("name", ["dedupeFields", "hullNumber"])
def test_they_are_found_by_their_key(shared: Instance, name: str) -> None:
    hulls = [boat["hullNumber"] for boat in BOATS[:5]]
    found = walk(shared, filterType=name, filterValues=",".join(hulls).lower())
    assert guids(found) == GUIDS[:5]
    assert (
        asked(
            shared, filterType=name, input=[{"hullNumber": hull, "rig": "?"} for hull in hulls]
        ).json()["result"]
        == found
    )
    assert asked(shared, filterType=name, filterValues=hulls).json()["result"] == found


def test_they_are_found_by_their_lead(shared: Instance) -> None:
    owners = [boat["leadId"] for boat in BOATS if boat["leadId"] is not None][:4]
    found = walk(shared, filterType="leadId", filterValues=",".join(map(str, owners)))
    assert {entry["leadId"] for entry in found} == {*owners}
    assert set(found[0]) == {"seq", "leadId", *DEFAULT}
    fields = walk(shared, filterType="leadId", filterValues=owners[0], fields="berths,marketoGuid")
    assert set(fields[0]) == {"seq", "marketoGUID", "berths"}


def test_every_value_that_a_field_can_have_is_shown(shared: Instance) -> None:
    names = [name for name in BOATS[0] if name != "seq"]
    found = walk(shared, filterType="idField", filterValues=GUIDS[:30], fields=",".join(names))
    assert found == [{**boat, "seq": n} for n, boat in enumerate(BOATS[:30])]


@pytest.mark.parametrize(
    ("params", "code", "said"),
    [
        ({}, "1002", "'filterType'"),
        ({"filterType": "idField"}, "1002", "'filterValues'"),
        ({"filterType": "idField", "filterValues": " , "}, "1002", "'filterValues'"),
        (
            {"filterType": "rig", "filterValues": "sloop"},
            "1003",
            "it can by idField, dedupeFields, ",
        ),
        ({"filterType": "leadId", "filterValues": "x"}, "1003", "'x' is no value of the field"),
        ({"filterType": "leadId", "filterValues": str(2**63)}, "1003", "'filterValues'"),
        (
            {"filterType": "idField", "filterValues": ",".join(map(str, range(10_000)))},
            "1003",
            "10000 values, where 300 are allowed",
        ),
        ({"filterType": "idField", "filterValues": "x", "fields": "shoe"}, "1006", "'shoe'"),
        ({"filterType": "idField", "filterValues": "x", "batchSize": "0"}, "1001", "'batchSize'"),
        ({"filterType": "idField", "filterValues": "\0"}, "1001", "'filterValues'"),
        (
            {"filterType": "idField", "filterValues": "x", "nextPageToken": "WyJsZWFkcyIsIjEiXQ"},
            "1003",
            "'nextPageToken'",
        ),
    ],
)
def test_what_they_cannot_be_looked_up_by_is_named(
    shared: Instance, params: dict[str, str], code: str, said: str
) -> None:
    refused = refusal(shared.post(PATH, params={"_method": "GET"}, data=params))
    assert refused[0] == code
    assert said in refused[1]
    if len(params.get("filterValues", "")) < 2_000:
        assert refusal(shared.get(PATH, params=params)) == refused


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ({"input": []}, "1002", "'input'"),
        ({"input": {}}, "1001", "'input'"),
        ({"input": [1]}, "1001", "'input[0]'"),
        ({"input": [None]}, "1002", "'input[0]'"),
        ({"input": [{"harbour": "Kiel"}]}, "1002", "'input[0].number'"),
        ({"input": [{"harbour": "Kiel", "number": None}]}, "1002", "'input[0].number'"),
        ({"input": [{"harbour": "Kiel", "number": [1]}]}, "1001", "'input[0].number'"),
        ({"input": [{"harbour": "Kiel", "number": "x"}]}, "1003", "'x' is no value of the field"),
        ({"input": [{"harbour": "a\0", "number": 1}]}, "1001", "'input[0].harbour'"),
        ({"input": [{}] * 301}, "1003", "301 values, where 300 are allowed"),
        ({"filterType": "dedupeFields", "filterValues": "Kiel"}, "1002", "'input'"),
        ({"filterType": "number", "input": [{"number": 1}]}, "1003", "it can by idField, "),
        ({"fields": ["shoe"], "input": [{"harbour": "Kiel", "number": 1}]}, "1006", "'shoe'"),
    ],
)
def test_a_compound_key_that_cannot_be_used_is_named(
    berths: Instance, body: dict[str, Any], code: str, said: str
) -> None:
    refused = refusal(asked(berths, BERTH_PATH, **body))
    assert refused[0] == code
    assert said in refused[1]


def test_they_are_found_by_a_compound_key(berths: Instance) -> None:
    keys: list[dict[str, Any]] = [
        {"harbour": "kiel", "number": 1},
        {"harbour": "Kiel", "number": "2"},
        {"harbour": "Bergen", "number": 2},
        {"harbour": "ber,gen", "number": 2.0},
    ]
    found = result(asked(berths, BERTH_PATH, input=keys[:3]))
    assert guids(found) == ["0", "1"]
    assert set(found[0]) == {"seq", "marketoGUID", "harbour", "number", "updatedAt", "createdAt"}
    assert guids(result(asked(berths, BERTH_PATH, input=keys[3:]))) == ["3"]
    pages = []
    token: dict[str, Any] = {}
    while True:
        body = asked(
            berths,
            BERTH_PATH,
            filterType="dedupeFields",
            fields=["marketoGuid", "isFree"],
            batchSize=1,
            input=keys,
            **token,
        ).json()
        pages += body["result"]
        if not body["moreResult"]:
            break
        token = {"nextPageToken": body["nextPageToken"]}
    assert pages == [
        {"seq": 0, "marketoGUID": guid, "isFree": free}
        for guid, free in (("0", True), ("1", False), ("3", False))
    ]
    by_id = result(asked(berths, BERTH_PATH, filterType="idField", input=[{"marketoGUID": "3"}]))
    assert guids(by_id) == ["3"]


def test_a_field_of_the_name_seq_does_not_displace_the_number(berths: Instance) -> None:
    found = walk(berths, BERTH_PATH, filterType="idField", filterValues="0,1", fields="seq")
    assert [entry["seq"] for entry in found] == [0, 1]


def test_pages_go_on_while_records_are_loaded(berths: Instance) -> None:
    """A record that is there from the first page to the last is listed once."""
    first = [f"{n:02x}" for n in range(0, 256, 4)]
    type_with_name = {**BERTHS, "searchableFields": [["harbour"]]}
    Catalog(berths.database, "default").store(parse_catalog({"customObjects": [type_with_name]}))
    load(berths, *({"marketoGUID": n, "harbour": "Oslo", "number": 1} for n in first))
    seen: list[str] = []
    params = {"filterType": "harbour", "filterValues": "oslo", "batchSize": 9}
    for n in range(100):
        body = berths.get(BERTH_PATH, params=params).json()
        seen += guids(body["result"])
        if "nextPageToken" not in body:
            break
        params["nextPageToken"] = body["nextPageToken"]
        load(berths, {"marketoGUID": f"{n:02x}x", "harbour": "Oslo", "number": 2})
    assert seen == sorted({*seen})
    assert {*first} <= {*seen}


def test_types_are_known_or_refused(shared: Instance, serve: Serve) -> None:
    given = {"filterType": "idField", "filterValues": "x"}
    for unknown in ("car_c", "describe", "schema", "BOAT_C", "%2e%2e"):
        answer = shared.get(f"/rest/v1/customobjects/{unknown}.json", params=given)
        assert refusal(answer)[0] in ("1003", "610")
    for user in ("leads", "activities", "marketer"):
        assert refusal(shared.get(PATH, user=user, params=given))[0] == "603"
    empty = serve()
    empty.settings.lake_folder.unlink()
    assert empty.get(PATH, params=given).json()["result"] == []
    assert asked(empty, input=[{"hullNumber": "x"}]).json()["result"] == []


def test_a_post_that_is_no_get_is_refused(shared: Instance) -> None:
    assert refusal(shared.post(PATH, json={"input": []}))[0] == "605"
    refused = refusal(
        shared.post(
            PATH,
            params={"_method": "GET"},
            content=b'{"input": [',
            headers={"Content-Type": "application/json"},
        )
    )
    assert refused[0] == "609"


def test_it_is_documented() -> None:
    page = (DOCS / "protocol.md").read_text("utf-8")
    (lookup,) = families()["custom objects"]
    assert f"`{lookup.path}`" in page
    assert all(f"`{name}`" in page for name in (*lookup.names, "input"))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=3)
    | st.sampled_from(["idField", "dedupeFields", "leadId", GUIDS[0]]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["hullNumber", "marketoGUID"]), inner, max_size=2)
    ),
    max_leaves=6,
)


@given(
    body=st.dictionaries(
        st.sampled_from(["filterType", "filterValues", "input", "fields", "batchSize", "x"]), JSON
    )
)
@examples(80)
def test_whatever_is_asked_is_answered(shared: Instance, body: dict[str, Any]) -> None:
    try:
        content = json.dumps(body).encode()
    except ValueError:
        return
    answer = shared.raw(
        "POST",
        PATH,
        query=b"_method=GET",
        headers=[(b"content-type", b"application/json")],
        body=(content,),
    )
    assert answer.status == 200
