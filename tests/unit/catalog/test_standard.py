import csv
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.support.paths import REAL_EXPORTS, needs_real_exports

import outhaul

STANDARD = Path(outhaul.__file__).parent / "catalog" / "standard"


TEXT_TYPES = {"string", "text", "textarea", "email", "phone", "url"}
FORMS = {
    "boolean": r"true|false",
    "integer": r"-?\d+",
    "score": r"-?\d+",
    "reference": r"\d+",
    "percent": r"-?\d+",
    "float": r"-?\d+(\.\d+)?",
    "currency": r"-?\d+(\.\d+)?",
    "date": r"\d{4}-\d\d-\d\d",
    "datetime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
}
ATTRIBUTE_TYPES = FORMS.keys() | TEXT_TYPES

# The types whose primary attribute an export can be filtered by, and what it is.
GROUPS = {
    2: "Webform ID",
    13: "Attribute Name",
    22: "Score Name",
    24: "List ID",
    25: "List ID",
    104: "Program ID",
}

# Fields that the live instance of lead_extract1.csv had added itself come after this one.
LAST_STANDARD_FIELD = "mktoAcquisitionDate"


def load(name: str) -> Any:
    return json.loads((STANDARD / name).read_text("utf-8"))


def rows(name: str) -> list[dict[str, str]]:
    with (REAL_EXPORTS / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


FIELDS: list[dict[str, Any]] = load("lead_fields.json")["result"]
TYPES: list[dict[str, Any]] = load("activity_types.json")["result"]


@pytest.mark.parametrize(
    "name", ["lead_fields.json", "activity_types.json", "program_member_fields.json"]
)
def test_file_is_in_its_one_format(name: str) -> None:
    document = load(name)
    assert document.keys() == {"success", "result"}
    assert document["success"] is True
    written = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    assert (STANDARD / name).read_text("utf-8") == written


@pytest.mark.parametrize(
    "values",
    [
        [field["id"] for field in FIELDS],
        [field["displayName"] for field in FIELDS],
        [field["rest"]["name"] for field in FIELDS],
        [field["soap"]["name"] for field in FIELDS],
        [kind["id"] for kind in TYPES],
        [kind["name"] for kind in TYPES],
    ],
    ids=["field id", "display name", "REST name", "SOAP name", "type id", "type name"],
)
def test_unique(values: list[Any]) -> None:
    assert [value for value, times in Counter(values).items() if times > 1] == []


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field["rest"]["name"])
def test_field(field: dict[str, Any]) -> None:
    assert field["dataType"] in FORMS.keys() | TEXT_TYPES
    assert ("length" in field) == (field["dataType"] in {"string", "email", "phone", "url"})
    for api in ("rest", "soap"):
        assert field[api].keys() == {"name", "readOnly"}
        assert type(field[api]["readOnly"]) is bool
    assert type(field["id"]) is int


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind["name"])
def test_activity_type(kind: dict[str, Any]) -> None:
    assert list(kind) in (
        ["id", "name", "description", "primaryAttribute", "attributes"],
        ["id", "name", "description", "attributes"],
    )
    assert kind["description"]
    attributes = kind["attributes"]
    names = [attribute["name"] for attribute in attributes]
    assert len(set(names)) == len(names)
    if "primaryAttribute" in kind:
        attributes = [kind["primaryAttribute"], *attributes]
    for attribute in attributes:
        assert attribute.keys() == {"name", "dataType"}
        assert attribute["dataType"] in ATTRIBUTE_TYPES


def test_the_types_that_filters_of_primary_attributes_know() -> None:
    known = {kind["id"]: kind["primaryAttribute"]["name"] for kind in TYPES if kind["id"] in GROUPS}
    assert known == GROUPS


def test_no_custom_or_crm_fields() -> None:
    names = {field["rest"]["name"] for field in FIELDS}
    assert "cookies" in names
    assert "ecids" not in names
    assert not [name for name in names if name.startswith("sfdc")]


@needs_real_exports
@pytest.mark.parametrize("name", ["lead_extract1.csv", "leads_extract2.csv"])
def test_live_header_is_standard_in_the_same_order(name: str) -> None:
    header = list(rows(name)[0])
    standard = header[: header.index(LAST_STANDARD_FIELD) + 1]
    own = [field["rest"]["name"] for field in FIELDS]
    assert [name for name in own if name in standard] == standard
    assert not set(own) & set(header[len(standard) :])


@needs_real_exports
@pytest.mark.parametrize("name", ["lead_extract1.csv", "leads_extract2.csv", "leads-2020.csv"])
def test_live_lead_values_fit(name: str) -> None:
    fields = {field["rest"]["name"]: field for field in FIELDS}
    for row in rows(name):
        for column, value in row.items():
            if value == "null" or column not in fields:
                continue
            field = fields[column]
            assert re.fullmatch(FORMS.get(field["dataType"], r"(?s).*"), value), (column, value)
            assert len(value) <= field.get("length", len(value))


@needs_real_exports
@pytest.mark.parametrize(
    "name", ["activity_extract1.csv", "activity_extract2.csv", "activities-2020.csv"]
)
def test_live_activity_types_are_known(name: str) -> None:
    types = {kind["id"]: kind for kind in TYPES}
    for row in rows(name):
        kind = types[int(row["activityTypeId"])]
        if kind.get("primaryAttribute", {}).get("dataType") == "integer":
            assert re.fullmatch(r"\d+", row["primaryAttributeValueId"])


@needs_real_exports
@pytest.mark.parametrize(
    "name", ["activity_extract1.csv", "activity_extract2.csv", "activities-2020.csv"]
)
def test_live_attributes_fit(name: str) -> None:
    # Fivetran wrote names in its own case, and the mailing's id once more under this name.
    not_marketo = {"email template id"}
    types = {
        kind["id"]: {one["name"].lower(): one["dataType"] for one in kind["attributes"]}
        for kind in TYPES
    }
    for row in rows(name):
        known = types[int(row["activityTypeId"])]
        for attribute, value in json.loads(row["attributes"]).items():
            if attribute.lower() in not_marketo:
                continue
            form = FORMS.get(known[attribute.lower()], r"(?s).*")
            assert re.fullmatch(form, value, re.IGNORECASE), (
                row["activityTypeId"],
                attribute,
                value,
            )


@needs_real_exports
def test_live_program_members_have_the_standard_fields_and_one_of_their_own() -> None:
    (described,) = load("program_member_fields.json")["result"]
    fields = {field["name"]: field["dataType"] for field in described["fields"]}
    members = rows("program_members_extract.csv")
    assert set(members[0]) - set(fields) == {"programMemberCustomFieldTest"}
    assert set(fields) <= set(members[0])
    for row in members:
        for name, of in fields.items():
            form = "[01]" if of == "boolean" else FORMS.get(of, r"(?s).*")
            assert row[name] == "null" or re.fullmatch(form, row[name]), (name, row[name])
