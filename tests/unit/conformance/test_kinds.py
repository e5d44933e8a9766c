"""Every kind passes the suite that kinds of other packages pass."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pytest
from pydantic import ValidationError
from tests.support.opportunities import OPPORTUNITIES

from outhaul.catalog.store import Catalog
from outhaul.conformance.kinds import KindSuite
from outhaul.kinds import KINDS
from outhaul.kinds.activities import ACTIVITIES
from outhaul.kinds.custom_objects import CUSTOM_OBJECTS
from outhaul.kinds.kind import Kind
from outhaul.kinds.leads import LEADS
from outhaul.kinds.options import text_option, texts_option
from outhaul.kinds.program_members import PROGRAM_MEMBERS
from outhaul.lake.clauses import OneOf
from outhaul.protocol.answers.descriptions import ActivityType
from outhaul.protocol.shapes import TEXT
from outhaul.records.columns import Column

JANUARY = {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-31T23:59:59Z"}
CREATED = "2026-01-20T00:00:00Z"
LISTS: Mapping[str, Any] = {
    "programs": [{"id": 1, "name": "Fair", "statuses": ["Attended"]}],
    "forms": [{"id": 31, "name": "Contact", "program": "Fair"}],
    "staticLists": [{"id": 1001, "name": "Newsletter"}],
    "smartLists": [
        {
            "id": 2001,
            "name": "Known",
            "rules": {"all": [{"field": "email", "operator": "not empty"}]},
        }
    ],
}
LIST_FILTERS: tuple[Mapping[str, Any], ...] = (
    {"staticListId": 1001},
    {"staticListName": "Newsletter"},
    {"smartListId": 2001},
    {"smartListName": "Known"},
)


DESCRIBED = OPPORTUNITIES.descriptions[0]


def with_table(**changes: Any) -> Kind:
    """Return the kind of opportunities with a table that differs."""
    table = replace(OPPORTUNITIES.table, **changes)
    return replace(OPPORTUNITIES, loading=replace(OPPORTUNITIES.loading, table=table))


def with_columns(*columns: Column) -> Kind:
    """Return the kind of opportunities with some other columns of files."""

    def loadable(catalog: Catalog) -> Iterable[Column]:
        found = {column.name: column for column in OPPORTUNITIES.loading.columns(catalog)}
        return (found | {column.name: column for column in columns}).values()

    return replace(OPPORTUNITIES, loading=replace(OPPORTUNITIES.loading, columns=loadable))


def with_stages(**changes: Any) -> Kind:
    """Return the kind of opportunities with a filter that differs."""
    filters = tuple(
        replace(entry, **changes) if entry.name == "stages" else entry
        for entry in OPPORTUNITIES.filters
    )
    return replace(OPPORTUNITIES, filters=filters)


class TestLeads(KindSuite):
    kind = LEADS
    catalog = LISTS
    records = (
        {"id": 7, "email": "a@example.com", "leadScore": 5, "createdAt": CREATED},
        {"id": 8, "email": "null", "unsubscribed": True, "createdAt": CREATED},
        {"id": 50_001, "company": 'A, "B"', "createdAt": CREATED},
    )
    examples = ({"createdAt": JANUARY}, {"updatedAt": JANUARY}, *LIST_FILTERS)


class TestActivities(KindSuite):
    kind = ACTIVITIES
    catalog = LISTS
    records = (
        {
            "marketoGUID": "1",
            "leadId": 8,
            "activityDate": "2026-01-19T00:00:00.25Z",
            "activityTypeId": 1,
        },
        {
            "marketoGUID": "2",
            "leadId": 7,
            "activityDate": CREATED,
            "activityTypeId": 2,
            "primaryAttributeValueId": 31,
            "primaryAttributeValue": "Fair.Contact",
            "attributes": '{"Source":"x"}',
        },
    )
    examples = (
        {"createdAt": JANUARY},
        {"createdAt": JANUARY, "activityTypeIds": [1, 2]},
        {"createdAt": JANUARY, "activityTypeIds": [2], "primaryAttributeValueIds": [31]},
        {"createdAt": JANUARY, "activityTypeIds": [2], "primaryAttributeValues": ["Fair.Contact"]},
    )


class TestProgramMembers(KindSuite):
    kind = PROGRAM_MEMBERS
    catalog = LISTS
    records = (
        {"programId": 1, "leadId": 7, "statusName": "Attended", "isExhausted": False},
        {"programId": 1, "leadId": 8, "nurtureCadence": "norm", "isExhausted": True},
    )
    examples = (
        {"programId": 1},
        {"programIds": [1], "isExhausted": True},
        {"programId": 1, "nurtureCadence": "pause"},
        {"programId": 1, "statusNames": ["Attended"]},
        {"programId": 1, "updatedAt": JANUARY},
    )


class TestCustomObjects(KindSuite):
    kind = CUSTOM_OBJECTS
    type_name = "boat_c"
    catalog: ClassVar[Mapping[str, Any]] = {
        **LISTS,
        "customObjects": [
            {
                "apiName": "boat_c",
                "dedupeFields": ["hull"],
                "relationships": [
                    {
                        "field": "leadId",
                        "type": "child",
                        "relatedTo": {"name": "Lead", "field": "Id"},
                    }
                ],
                "fields": [
                    {"name": "hull", "dataType": "string"},
                    {"name": "leadId", "dataType": "integer"},
                ],
            }
        ],
    }
    records = (
        {"marketoGUID": "a", "leadId": 7, "hull": "x", "updatedAt": CREATED},
        {"marketoGUID": "b", "leadId": 8, "hull": "y", "updatedAt": CREATED},
    )
    examples = ({"updatedAt": JANUARY}, *LIST_FILTERS)


class TestOpportunities(KindSuite):
    kind = OPPORTUNITIES
    catalog = LISTS
    records = (
        {
            "externalOpportunityId": "b",
            "leadId": 7,
            "stage": "Closed Won",
            "amount": 1.5,
            "isWon": True,
            "createdAt": CREATED,
        },
        {"externalOpportunityId": "a", "leadId": 60_000, "createdAt": CREATED},
    )
    examples = ({"createdAt": JANUARY}, {"stages": ["Closed Won"]}, {"staticListId": 1001})


BROKEN: Mapping[str, tuple[Kind, str]] = {
    "a name with a capital": (
        replace(OPPORTUNITIES, name="Opportunities"),
        "test_names_and_helps_are_those_of_commands",
    ),
    "a help without an example": (
        replace(OPPORTUNITIES, load_help="Load opportunities."),
        "test_names_and_helps_are_those_of_commands",
    ),
    "a sweep without statistics": (
        with_table(statistics=("createdAt",)),
        "test_the_table_fits_its_declaration",
    ),
    "a partition of another type": (
        with_table(partition_value=pl.col("createdAt").dt.date()),
        "test_the_table_fits_its_declaration",
    ),
    "a standard field that does not exist": (
        replace(OPPORTUNITIES, default_fields=("height",)),
        "test_every_field_has_a_type_and_named_fields_are_fields",
    ),
    "a column of another type": (
        with_columns(Column(name="amount", type=pl.Int64())),
        "test_columns_of_files_are_columns_of_the_table",
    ),
    "a key that may be missing": (
        with_columns(Column(name="externalOpportunityId", type=pl.String())),
        "test_columns_of_files_are_columns_of_the_table",
    ),
    "a shape that is too narrow": (
        with_stages(shape=TEXT),
        "test_the_shape_of_a_filter_accepts_what_is_read",
    ),
    "a shape that does not fit the example": (
        with_stages(shape={"type": "array", "maxItems": 0}),
        "test_the_examples_fit_the_shapes_and_the_rule",
    ),
    "a rule's shape that does not fit": (
        replace(OPPORTUNITIES, rule=replace(OPPORTUNITIES.rule, shape={"minProperties": 2})),
        "test_the_examples_fit_the_shapes_and_the_rule",
    ),
    "a clause over no column": (
        with_stages(clause=lambda filters, _: OneOf("height", tuple(filters["stages"]))),
        "test_stored_filters_and_clauses_are_plain_data",
    ),
    "a value that is no plain data": (
        with_stages(read=lambda value, *_: tuple(value)),
        "test_stored_filters_and_clauses_are_plain_data",
    ),
    "an option that makes a text": (
        with_stages(option=text_option("--stages", "Only in this stage: {}.", "Won")),
        "test_an_option_reads_its_example",
    ),
    "an option that every kind has": (
        with_stages(option=texts_option("--fields", "Only in this stage: {}.", "Won")),
        "test_an_option_reads_its_example",
    ),
    "an answer that is not as declared": (
        replace(OPPORTUNITIES, descriptions=(replace(DESCRIBED, result=ActivityType),)),
        "test_describe_calls_answer_as_they_declare",
    ),
    "an order that is not total": (
        with_table(order=("createdAt",)),
        "test_the_table_fits_its_declaration",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_kind_that_breaks_a_rule_fails(what: str, tmp_path: Path) -> None:
    kind, test = BROKEN[what]
    suite = TestOpportunities()
    suite.kind = kind  # type: ignore[misc]
    needs_folder = "tmp_path" in signature(getattr(suite, test)).parameters
    with pytest.raises((AssertionError, ValidationError)):
        getattr(suite, test)(*((tmp_path,) if needs_folder else ()))


def test_every_kind_has_its_suite() -> None:
    suites = {suite.kind.name for suite in KindSuite.__subclasses__()}
    assert suites == {*KINDS, OPPORTUNITIES.name}
