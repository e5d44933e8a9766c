"""Describe calls name the types that exports give, whatever the catalog says."""

from pathlib import Path

import pytest
from tests.support.instance import Instance, result
from tests.support.loads import load_custom_objects, load_leads, load_program_members

from outhaul.catalog.entries import parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.clock import now
from outhaul.lake.snapshot import Lake

LEADS = "/rest/v1/leads/describe.json"
LEADS_AGAIN = "/rest/v1/leads/describe2.json"
MEMBERS = "/rest/v1/programs/members/describe.json"
BOATS = "/rest/v1/customobjects/boat_c/describe.json"


@pytest.fixture
def lake(instance: Instance) -> Lake:
    """An empty lake of the instance's own."""
    instance.settings.lake_folder.unlink()
    return Lake(instance.settings.lake_folder / "default")


@pytest.fixture
def catalog(instance: Instance) -> Catalog:
    return Catalog(instance.database, "default")


def declare(catalog: Catalog, of: str) -> None:
    lead = {"id": 9001, "displayName": "Shoe", "dataType": of, "rest": {"name": "shoe"}}
    fields = [{"name": name, "dataType": "integer"} for name in ("programId", "leadId")]
    catalog.store(parse_catalog({"result": [lead]}))
    catalog.store(
        parse_catalog(
            {"result": [{"name": "M", "fields": [*fields, {"name": "shoe", "dataType": of}]}]}
        )
    )
    boat = {"apiName": "boat_c", "fields": [{"name": "shoe", "dataType": of}]}
    catalog.store(parse_catalog({"customObjects": [boat]}))


def types(instance: Instance) -> list[str]:
    """Return the `dataType` of the field in each describe call."""
    found = [
        entry["dataType"]
        for entry in result(instance.get(LEADS))
        if entry["rest"]["name"] == "shoe"
    ]
    for path, user in ((LEADS_AGAIN, "etl"), (MEMBERS, "etl"), (BOATS, "objects")):
        (described,) = result(instance.get(path, user=user))
        found += [entry["dataType"] for entry in described["fields"] if entry["name"] == "shoe"]
    return found


def load(lake: Lake, catalog: Catalog, folder: Path, value: str) -> None:
    def written(name: str, header: str, key: str) -> Path:
        path = folder / name
        path.write_text(f"{header},shoe\n{key},{value}\n", "utf-8")
        return path

    load_leads(lake, catalog, written("l.csv", "id", "1"), now(), lambda _: None)
    members = written("m.csv", "programId,leadId", "1,1")
    load_program_members(lake, catalog, members, now(), lambda _: None)
    boats = written("b.csv", "marketoGUID", "b")
    load_custom_objects(lake, catalog, boats, now(), lambda _: None, api_name="boat_c")


@pytest.mark.parametrize(
    ("first", "value", "then", "shown"),
    [
        ("string", "x", "integer", "string"),
        ("integer", "5", "string", "integer"),
        ("float", "1.5", "integer", "float"),
        ("email", "x", "string", "string"),
        ("string", "x", "email", "email"),
        ("score", "5", "integer", "integer"),
        ("currency", "5", "date", "float"),
    ],
)
def test_the_type_of_the_table_is_described(  # noqa: PLR0913, PLR0917 - what is declared and shown
    instance: Instance,
    lake: Lake,
    catalog: Catalog,
    tmp_path: Path,
    first: str,
    value: str,
    then: str,
    shown: str,
) -> None:
    declare(catalog, first)
    assert types(instance) == [first] * 4
    load(lake, catalog, tmp_path, value)
    assert types(instance) == [first] * 4
    declare(catalog, then)
    assert types(instance) == [shown] * 4


def test_a_field_that_was_widened_is_described_as_it_is_now(
    instance: Instance, lake: Lake, catalog: Catalog, tmp_path: Path
) -> None:
    for n, (value, shown) in enumerate((("5", "integer"), ("1.5", "float"), ("x", "string"))):
        path = tmp_path / "l.csv"
        path.write_text(f"id,shoe\n{n + 1},{value}\n", "utf-8")
        load_leads(lake, catalog, path, now(), lambda _: None, infer=True)
        (found,) = [e for e in result(instance.get(LEADS)) if e["rest"]["name"] == "shoe"]
        assert found.pop("id") > 0
        assert found == {
            "displayName": "shoe",
            "dataType": shown,
            "rest": {"name": "shoe", "readOnly": False},
        }
