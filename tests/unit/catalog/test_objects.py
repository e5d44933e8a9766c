from typing import Any

import pytest

from outhaul.catalog.entries import CatalogError, parse_catalog

FIELDS = [{"name": name, "dataType": "integer"} for name in ("programId", "leadId", "shoeSize")]
LINK = {"field": "leadId", "type": "child", "relatedTo": {"name": "Lead", "field": "Id"}}


def parse_type(**changes: Any) -> Any:
    entries = parse_catalog({"customObjects": [{"apiName": "boat_c", **changes}]})
    (declared,) = entries.custom_object_types
    return declared


def test_members_described() -> None:
    answer = {"success": True, "result": [{"name": "API Program Membership", "fields": FIELDS}]}
    entries = parse_catalog(answer)
    assert [entry.name for entry in entries.member_fields] == ["programId", "leadId", "shoeSize"]
    assert len(entries) == 3


def test_the_description_of_leads_is_not_that_of_members() -> None:
    with pytest.raises(CatalogError, match="not the fields of program members"):
        parse_catalog(
            {"result": [{"name": "API Lead", "fields": [{"name": "id", "dataType": "integer"}]}]}
        )


def test_types_as_they_are_listed_and_described() -> None:
    listed = {"name": "boat_c", "idField": "marketoGUID", "relationships": [LINK]}
    (entry,) = parse_catalog({"result": [listed]}).custom_object_types
    assert (entry.api_name, entry.lead_link, entry.dedupe_fields) == ("boat_c", "leadId", [])
    assert list(entry.fields) == ["marketoGUID", "createdAt", "updatedAt", "leadId"]


def test_what_is_not_linked_to_a_lead() -> None:
    assert parse_type().lead_link is None
    by_mail = {**LINK, "relatedTo": {"name": "Lead", "field": "email"}}
    of_other = {**LINK, "relatedTo": {"name": "Company", "field": "id"}}
    assert parse_type(relationships=[by_mail, of_other]).lead_link is None
    assert parse_type(relationships=[by_mail, LINK]).lead_link == "leadId"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"apiName": "../etc"}, r"customObjects\[0\].apiName"),
        ({"idField": "id"}, r"customObjects\[0\].idField"),
        ({"dedupeFields": [1]}, r"customObjects\[0\].dedupeFields"),
        ({"fields": [{"name": "a"}]}, r"customObjects\[0\].fields\[0\].dataType"),
        ({"fields": [{"name": "a", "dataType": "string"}] * 2}, "described twice"),
        ({"relationships": [{"field": "a"}]}, r"relationships\[0\].relatedTo"),
        ({"relationships": {}}, "expected an array"),
    ],
)
def test_types_that_do_not_fit(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(CatalogError, match=problem):
        parse_type(**changes)


def test_statuses_that_do_not_fit() -> None:
    with pytest.raises(CatalogError, match=r"programs\[0\].statuses"):
        parse_catalog({"programs": [{"id": 1, "name": "A", "statuses": "Invited"}]})
