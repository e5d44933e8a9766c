"""Leads by id, by what a field says, of a list; each answer is held to its published shape."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples
from tests.support.instance import LEAD_COUNT, NOW, Instance, Serve, refusal, result
from tests.support.loads import load_leads, load_list_members
from tests.support.paths import DOCS

from outhaul import sample
from outhaul.api.lookups import families
from outhaul.api.lookups.answering import Lookup
from outhaul.catalog.built_in import standard_entries
from outhaul.catalog.entries import parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.lake.snapshot import Lake

LOOKUPS = families()["leads"]
EACH = pytest.mark.parametrize("lookup", LOOKUPS, ids=lambda lookup: lookup.path)

LEADS = "/rest/v1/leads.json"
DEFAULT = ["id", "email", "updatedAt", "createdAt", "lastName", "firstName"]
SAMPLE = list(sample.leads(LEAD_COUNT, until=NOW))
BY_ID = {entry["id"]: entry for entry in SAMPLE}
LIST = 1001
MEMBERS = [entry["leadId"] for entry in sample.list_members(LEAD_COUNT) if entry["listId"] == LIST]
LISTS = pytest.mark.parametrize("lists", ["lists", "list"])
PROGRAM = 1004
IN_PROGRAM = sorted(
    entry["leadId"]
    for entry in sample.program_members(LEAD_COUNT, until=NOW)
    if entry["programId"] == PROGRAM
)


@pytest.fixture
def own(serve: Serve) -> Instance:
    """An instance whose lake is its own and empty; its catalog is the sample's."""
    instance = serve()
    instance.settings.lake_folder.unlink()
    return instance


def load(
    instance: Instance, *records: Mapping[str, Any], loader: Any = load_leads, **how: Any
) -> None:
    lake = Lake(instance.settings.lake_folder / "default")
    path = instance.settings.lake_folder.parent / "records.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    loader(lake, Catalog(instance.database, "default"), path, NOW, lambda _: None, **how)


def one(lead_id: object) -> str:
    return f"/rest/v1/lead/{lead_id}.json"


def members(lists: str = "lists", list_id: object = LIST) -> str:
    return f"/rest/v1/{lists}/{list_id}/leads.json"


def url_of(lookup: Lookup) -> str:
    path = lookup.path.replace("{leadId}", "1001").replace("{listId}", str(LIST))
    return path.replace("{programId}", str(PROGRAM))


def parameters(lookup: Lookup) -> dict[str, str]:
    """Return the parameters that a look-up cannot do without."""
    return {"filterType": "id", "filterValues": "1001"} if lookup.path == LEADS else {}


def found_by(instance: Instance, name: str, values: Any, **params: Any) -> list[dict[str, Any]]:
    return result(
        instance.get(LEADS, params={"filterType": name, "filterValues": values, **params})
    )


def ids(found: Iterable[Mapping[str, Any]]) -> list[int]:
    return [entry["id"] for entry in found]


def walk(instance: Instance, path: str, **params: Any) -> list[int]:
    seen: list[int] = []
    while True:
        body = instance.get(path, params=params).json()
        assert body["success"] is True
        assert "moreResult" not in body
        assert len(body["result"]) <= params.get("batchSize", 300)
        seen += ids(body["result"])
        if "nextPageToken" not in body:
            return seen
        params["nextPageToken"] = body["nextPageToken"]


# Every one of them


@EACH
def test_each_needs_a_permission(shared: Instance, lookup: Lookup) -> None:
    for user in ("activities", "marketer", "objects"):
        assert refusal(shared.get(url_of(lookup), user=user)) == ("603", "Access denied")
    assert refusal(shared.get(url_of(lookup), user=None))[0] == "603"
    for user in ("etl", "writer", "leads"):
        answer = shared.get(url_of(lookup), user=user, params=parameters(lookup))
        assert answer.json()["success"] is True


@EACH
def test_each_is_answered_to_a_form_and_ignores_what_clients_add(
    shared: Instance, lookup: Lookup
) -> None:
    url, given = url_of(lookup), parameters(lookup)
    wanted = result(shared.get(url, params=given))
    assert wanted
    for answer in (
        shared.get(url, params={**given, "maxReturn": ["3", "x"], "_method": "GET"}),
        shared.post(url, params={"_method": "GET"}, data=given),
        shared.post(url, data={"_method": "get", **given}),
    ):
        assert result(answer) == wanted
    assert refusal(shared.post(url, data=given))[0] == "605"


@EACH
def test_each_is_documented_with_what_it_reads(lookup: Lookup) -> None:
    page = (DOCS / "protocol.md").read_text("utf-8")
    assert f"`{lookup.path}`" in page
    assert all(f"`{name}`" in page for name in lookup.names)


@EACH
def test_each_shows_the_fields_that_are_asked_for(shared: Instance, lookup: Lookup) -> None:
    url, given = url_of(lookup), parameters(lookup)
    for fields, wanted in (
        (None, DEFAULT),
        ("", DEFAULT),
        ("company", ["id", "company"]),
        ("leadScore,id,company,leadScore", ["id", "leadScore", "company"]),
        (["company", "cookies, fax"], ["id", "company", "cookies", "fax"]),
    ):
        params = given if fields is None else {**given, "fields": fields}
        for shown in result(shared.get(url, params=params)):
            shown.pop("membership", None)
            assert sorted(shown) == sorted(wanted)
            known = BY_ID[shown["id"]]
            assert shown == {name: known.get(name) for name in wanted}
    answer = shared.get(url, params={**given, "fields": "id,shoe"})
    assert refusal(answer) == ("1006", "Field 'shoe' not found")


@EACH
def test_an_empty_lake_has_none(own: Instance, lookup: Lookup) -> None:
    answer = own.get(url_of(lookup), params=parameters(lookup))
    if "{leadId}" in lookup.path:
        assert refusal(answer)[0] == "1004"
    else:
        assert result(answer) == []
        assert "nextPageToken" not in answer.json()


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        (one("x"), "leadId"),
        (one("1.5"), "leadId"),
        (one(2**63), "leadId"),
        (members(list_id="x"), "listId"),
        (f"{members()}?batchSize=0", "batchSize"),
        (f"{members()}?fields=a%00", "fields"),
        (f"{LEADS}?filterType=id&filterValues=1&batchSize=x", "batchSize"),
        (f"{LEADS}?filterType=id%00&filterValues=1", "filterType"),
        (f"{LEADS}?filterType=email&filterValues=%00", "filterValues"),
    ],
)
def test_a_value_of_a_wrong_type_is_named(shared: Instance, path: str, parameter: str) -> None:
    code, message = refusal(shared.get(path))
    assert code == "1001"
    assert f"'{parameter}'" in message


VALUES = (
    st.sampled_from([b"1001", b"id", b"email", b"leadScore", b"-1", b"cookies", b",", b"1,x"])
    | st.sampled_from(
        [b"%00", b"%ff", b"%ed%a0%80", b"1,,2", b"9" * 30, b"W10", b"+", b"WyJsZWFkcyIsIjEiXQ"]
    )
    | st.binary(max_size=8).map(lambda raw: b"".join(b"%%%02x" % byte for byte in raw))
)


@given(
    lookup=st.sampled_from(LOOKUPS),
    name=st.sampled_from(["1001", "0", "-1"])
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), max_size=8),
    pairs=st.lists(
        st.tuples(st.sampled_from(sorted({n for e in LOOKUPS for n in e.names})), VALUES),
        max_size=4,
    ),
)
@examples(80)
def test_whatever_is_asked_is_answered(
    shared: Instance, lookup: Lookup, name: str, pairs: list[tuple[str, bytes]]
) -> None:
    given = [(parameter, text.encode()) for parameter, text in parameters(lookup).items()]
    query = b"&".join(parameter.encode() + b"=" + value for parameter, value in [*given, *pairs])
    before, brace, after = lookup.path.partition("{")
    path = before + name + after.partition("}")[2] if brace else before
    assert shared.raw("GET", path, query=query).status == 200


# One lead


def test_a_lead_is_shown_by_its_id(shared: Instance) -> None:
    for entry in SAMPLE[::50]:
        (found,) = result(shared.get(one(entry["id"])))
        assert found == {name: entry[name] for name in DEFAULT}


def test_a_token_is_no_matter_where_there_are_no_pages(shared: Instance) -> None:
    assert ids(result(shared.get(one(1001), params={"nextPageToken": "x"}))) == [1001]


@pytest.mark.parametrize("unknown", [0, -1, 1000, 1001 + LEAD_COUNT, 2**40, 2**63 - 1, -(2**63)])
def test_a_lead_that_is_not_there_is_1004(shared: Instance, unknown: int) -> None:
    assert refusal(shared.get(one(unknown))) == (
        "1004",
        f"Lead not found: there is no lead with id {unknown}",
    )


def test_values_of_every_type_are_shown(own: Instance) -> None:
    values = {
        "createdAt": "0001-01-01T00:00:00Z",
        "updatedAt": "9999-12-31T23:59:59Z",
        "dateOfBirth": "0999-01-31",
        "isLead": True,
        "unsubscribed": False,
        "leadScore": -(2**63),
        "annualRevenue": 1.25,
        "numberOfEmployees": 0,
        "firstName": "",
        "lastName": 'O"Neill,\u2028\U0001f600',
        "middleName": None,
    }
    load(own, {"id": 1, **values}, {"id": 2})
    given = {"fields": ",".join(values)}
    assert result(own.get(one(1), params=given)) == [{"id": 1, **values}]
    assert result(own.get(one(2), params=given)) == [{"id": 2, **dict.fromkeys(values)}]
    assert result(own.get(one(2), params={"fields": "fax"})) == [{"id": 2, "fax": None}]


# Leads by a field


def test_leads_are_found_by_their_ids(shared: Instance) -> None:
    assert ids(found_by(shared, "id", "1005,1001,7,1001")) == [1001, 1005]
    assert ids(found_by(shared, "id", ["1005", " 1001 ", str(2**63 - 1)])) == [1001, 1005]
    assert found_by(shared, "id", "7") == []


def test_an_address_is_found_however_it_is_written(own: Instance) -> None:
    load(
        own,
        {"id": 1, "email": "Ann@Example.com"},
        {"id": 2, "email": "ann@example.com"},
        {"id": 3, "email": "ÄNN@EXAMPLE.COM"},
        {"id": 4, "email": "ann+b@example.com"},
        {"id": 5},
        {"id": 60_000, "email": "ANN@EXAMPLE.COM"},
    )
    for text in ("ann@example.com", "ANN@example.COM", ["x@example.com", "Ann@Example.com"]):
        assert ids(found_by(own, "email", text)) == [1, 2, 60_000]
    assert ids(found_by(own, "email", "änn@example.com,ann+b@example.com")) == [3, 4]
    assert found_by(own, "email", "null") == found_by(own, "email", "ann") == []
    shown = found_by(own, "email", "änn@example.com", fields="lastName")
    assert shown == [{"id": 3, "lastName": None}]


@pytest.mark.parametrize(
    ("params", "code", "said"),
    [
        ({}, "1002", "'filterType'"),
        ({"filterType": "", "filterValues": "1"}, "1002", "'filterType'"),
        ({"filterType": "id"}, "1002", "'filterValues'"),
        ({"filterType": "id", "filterValues": " , "}, "1002", "'filterValues'"),
        ({"filterType": "shoe", "filterValues": "1"}, "1003", "'filterType'"),
        ({"filterType": "lastName", "filterValues": "1"}, "1003", "they can by "),
        ({"filterType": "id", "filterValues": "1,a"}, "1003", "'a' is no value of the field"),
        ({"filterType": "id", "filterValues": str(2**63)}, "1003", "'filterValues'"),
        (
            {"filterType": "id", "filterValues": ",".join(map(str, range(301)))},
            "1003",
            "301 values, where 300 are allowed",
        ),
    ],
)
def test_what_leads_cannot_be_looked_up_by_is_named(
    shared: Instance, params: dict[str, str], code: str, said: str
) -> None:
    refused = refusal(shared.get(LEADS, params=params))
    assert refused[0] == code
    assert said in refused[1]


def test_a_form_has_room_for_300_values(shared: Instance) -> None:
    many = [f"{n}.{'long' * 10}@example.com" for n in range(299)]
    form = {"filterType": "email", "filterValues": ",".join([*many, SAMPLE[8]["email"]])}
    assert shared.get(LEADS, params=form).status_code == 414
    assert ids(result(shared.post(LEADS, params={"_method": "GET"}, data=form))) == [1009]


def test_leads_are_looked_up_by_just_the_searchable_fields(own: Instance) -> None:
    """Of one's own fields, those of the types that the original looks up by."""
    field = {"id": 9001, "displayName": "Shoe"}
    own_fields = {"shoe": "string", "mail": "email", "size": "integer", "width": "float"}
    Catalog(own.database, "default").store(
        parse_catalog(
            {
                "result": [
                    {**field, "id": 9001 + n, "dataType": of, "rest": {"name": name}}
                    for n, (name, of) in enumerate(own_fields.items())
                ]
            }
        )
    )
    load(own, {"id": 1, "email": "1", "shoe": "1", "mail": "A@1", "size": 1, "width": 1.0})
    (described,) = result(own.get("/rest/v1/leads/describe2.json"))
    names = [name for (name,) in described["searchableFields"]]
    assert names[-3:] == ["shoe", "mail", "size"]
    standard = {entry.name for entry in standard_entries().lead_fields}
    assert {"email", "id"} < standard & set(names)
    for name in names:
        found = ids(found_by(own, name, "1,a@1" if name == "mail" else "1"))
        assert found == ([1] if name in ("id", "email", "shoe", "mail", "size") else [])
    for name in (standard | set(own_fields)) - set(names):
        params = {"filterType": name, "filterValues": "1"}
        assert refusal(own.get(LEADS, params=params))[0] == "1003"


def test_a_field_is_looked_up_in_the_type_that_it_is_kept_in(own: Instance) -> None:
    """What the catalog says of a field may change, and what is kept does not."""
    catalog = Catalog(own.database, "default")

    def declare(of: str) -> None:
        names = ("number", "truth", "part", "day")
        catalog.store(
            parse_catalog(
                {
                    "result": [
                        {
                            "id": 9001 + n,
                            "displayName": name,
                            "dataType": of,
                            "rest": {"name": name},
                        }
                        for n, name in enumerate(names)
                    ]
                }
            )
        )

    given = {"number": 7, "truth": True, "part": 7.5, "day": "2026-01-31"}
    load(own, {"id": 1, **given}, infer=True)
    declare("string")
    for name, text in (("number", "7"), ("truth", "TRUE"), ("part", "7.5"), ("day", "2026-01-31")):
        assert ids(found_by(own, name, text)) == [1]
    declare("integer")
    assert ids(found_by(own, "truth", "true")) == [1]


def test_a_row_of_a_field_is_given_in_pages(own: Instance) -> None:
    load(own, *({"id": 40_000 * n, "email": f"{n % 2}@a.example"} for n in range(1, 16)))
    wanted = [40_000 * n for n in range(1, 16) if n % 2]
    for size in (1, 3, 8, 300):
        given = {"filterType": "email", "filterValues": "1@A.example", "batchSize": size}
        assert walk(own, LEADS, **given) == wanted


# Leads of a list


@LISTS
@pytest.mark.parametrize("size", [1_000, 60, 59, 7])
def test_pages_hold_each_member_once(shared: Instance, lists: str, size: int) -> None:
    assert walk(shared, members(lists), batchSize=size) == sorted(MEMBERS)


@LISTS
def test_a_list_that_is_not_there_is_1013(shared: Instance, lists: str) -> None:
    for unknown in (0, -1, 7, 2**31 - 1, 2**40, 2**63 - 1):
        assert refusal(shared.get(members(lists, unknown))) == (
            "1013",
            f"Object not found: there is no static list with id {unknown}",
        )


def test_members_that_are_no_leads_are_not_shown(own: Instance) -> None:
    load(own, *({"id": n} for n in (1, 2, 60_000)))
    given = [{"listId": LIST, "leadId": n} for n in (2, 3, 60_000, 2**40)]
    load(own, *given, loader=load_list_members)
    assert walk(own, members(), batchSize=1) == [2, 60_000]
    assert walk(own, members(list_id=1002)) == []


def test_a_page_is_300_leads_at_most(own: Instance) -> None:
    load(own, *({"id": n} for n in range(1, 311)))
    load(own, *({"listId": LIST, "leadId": n} for n in range(1, 311)), loader=load_list_members)
    for params in ({}, {"batchSize": 1_000}):
        body = own.get(members(), params=params).json()
        assert ids(body["result"]) == list(range(1, 301))
        rest = own.get(members(), params={"nextPageToken": body["nextPageToken"]}).json()
        assert ids(rest["result"]) == list(range(301, 311))
        assert "nextPageToken" not in rest


def test_pages_hold_each_lead_once_while_leads_are_loaded(own: Instance) -> None:
    """Each page is followed by a load: before its place, after it, and of what was there."""
    old = list(range(100, 120))

    def add(*leads: int) -> None:
        load(own, *({"id": n, "email": "a@b.example"} for n in leads))
        load(own, *({"listId": LIST, "leadId": n} for n in leads), loader=load_list_members)

    add(*old)
    seen: list[int] = []
    params: dict[str, Any] = {"batchSize": 3}
    for n in range(1, 50):
        body = own.get(members(), params=params).json()
        seen += ids(body["result"])
        if "nextPageToken" not in body:
            break
        params["nextPageToken"] = body["nextPageToken"]
        load(own, {"id": 119, "email": f"{n}@b.example"})
        add(n, 1_000 + n)
    assert [n for n in seen if n in old] == old
    assert seen == sorted(set(seen))
    assert seen[0] == 100


@pytest.mark.parametrize("path", [LEADS, members(), members("list")])
def test_a_token_that_is_none_of_leads_is_refused(shared: Instance, path: str) -> None:
    lists = shared.get("/rest/v1/lists.json", params={"batchSize": 1}).json()["nextPageToken"]
    since = shared.get("/rest/v1/activities/pagingtoken.json?sinceDatetime=2026-01-01").json()
    good = shared.get(members(), params={"batchSize": 1}).json()["nextPageToken"]
    given = {"filterType": "id", "filterValues": "1001"}
    for token in ("x", "WyJhIl0", lists, since["nextPageToken"], good[:-3], "WyJsZWFkcyIsIngiXQ"):
        code, message = refusal(shared.get(path, params={**given, "nextPageToken": token}))
        assert code == "1003"
        assert "'nextPageToken'" in message
