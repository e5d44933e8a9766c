"""Custom objects (bulk custom object extract): the records of one custom object type."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from outhaul.catalog.objects import OWN_FIELDS, CustomObjectType
from outhaul.errors import Error
from outhaul.kinds.describing import DescribeQuery, Description, described_field, shown_type
from outhaul.kinds.filter import Context, Filter, Rule
from outhaul.kinds.kind import Kind, KindFamily
from outhaul.kinds.loading import Loading
from outhaul.kinds.options import TypeOption
from outhaul.kinds.shared_filters import (
    exactly_one_of,
    smart_list_id,
    smart_list_name,
    static_list_id,
    static_list_name,
    updated_at,
)
from outhaul.lake.tables import CHANGED_AT, Table
from outhaul.protocol.answers.descriptions import CustomObjectDescription
from outhaul.protocol.answers.envelope import Found
from outhaul.protocol.parameters import path_parameter, texts
from outhaul.protocol.shapes import TEXT
from outhaul.records.columns import INSTANT, Column, column_type

if TYPE_CHECKING:
    from outhaul.catalog.store import Catalog

# The dates of a type whose description has none, because the protocol requires dates.
_SINCE = "2021-01-01T00:00:00Z"


def table_of(api_name: str, *, lead: str | None) -> Table:
    """Return the table of a custom object type. Its column `lead`, if any, has a lead's id.

    The partition is the first byte of the marketoGUID, so that partitions follow the order.
    """
    link = {} if lead is None else {lead: pl.Int64()}
    return Table(
        name=f"custom_objects_{api_name}",
        key=("marketoGUID",),
        order=("marketoGUID",),
        partition="outhaul_initial",
        partition_value=pl.col("marketoGUID")
        .str.encode("hex")
        .str.slice(0, 2)
        .str.to_integer(base=16),
        columns={
            "marketoGUID": pl.String(),
            **link,
            "createdAt": INSTANT,
            "updatedAt": INSTANT,
            CHANGED_AT: INSTANT,
        },
        statistics=("marketoGUID", *link, CHANGED_AT),
        lead=lead,
    )


def _filters(lead: str) -> tuple[Filter, ...]:
    """Return the filters. `lead` is the column with a lead's id."""
    return (
        updated_at("Custom objects"),
        static_list_id("staticListId", lead),
        static_list_name("staticListName", lead),
        smart_list_id("smartListId", lead),
        smart_list_name("smartListName", lead),
    )


def _rule(declared: CustomObjectType, filters: tuple[Filter, ...]) -> Rule:
    exactly_one = exactly_one_of(filters)

    def check(given: Mapping[str, Any], context: Context) -> None:
        exactly_one.check(given, context)
        if declared.lead_link is None and "updatedAt" not in given:
            raise Error.INVALID(
                parameter="filter",
                problem=f"records of '{declared.api_name}' are not linked to leads by their id; "
                "the only filter is updatedAt",
            )

    return Rule(check=check, shape=exactly_one.shape, check_options=exactly_one.check_options)


def _kind(declared: CustomObjectType) -> Kind:
    table = table_of(declared.api_name, lead=declared.lead_link)
    filters = _filters(declared.lead_link or "")
    columns = {
        name: table.columns.get(name, column_type(of)) for name, of in declared.fields.items()
    }

    def loadable(_: "Catalog") -> Iterable[Column]:
        needed = {*table.key, *declared.dedupe_fields}
        return [Column(name=name, type=of, required=name in needed) for name, of in columns.items()]

    return Kind(
        name=_NAME,
        plural=_PLURAL,
        path=_PATH,
        permissions=_PERMISSIONS,
        filters=filters,
        rule=_rule(declared, filters),
        fields=lambda _: columns,
        fields_example=_FIELDS,
        extract_help=_EXTRACT_HELP,
        load_help=_LOAD_HELP,
        loading=Loading(table=table, columns=loadable),
    )


def custom_object_types(query: DescribeQuery) -> Found:
    """List the custom object types that `names` has, or all."""
    known = query.catalog.custom_object_types()
    names = query.names("names")
    return Found(
        [_described(query, entry) for name, entry in known.items() if not names or name in names]
    )


def custom_object_type(query: DescribeQuery) -> Found:
    """Describe one custom object type."""
    return Found([_described(query, known_type(query))])


def _described(query: DescribeQuery, entry: CustomObjectType) -> dict[str, Any]:
    columns = query.columns(table_of(entry.api_name, lead=entry.lead_link))
    return described_object(entry, columns)


def known_type(query: DescribeQuery) -> CustomObjectType:
    """Return the custom object type whose name is in the path. Raises 1003 if there is none."""
    name = query.path_text("customObjectName")
    known = query.catalog.custom_object_types()
    if name not in known:
        raise Error.INVALID(
            parameter="customObjectName",
            problem=f"there is no custom object type '{name}'; "
            f"there are {', '.join(known) or 'none'}",
        )
    return known[name]


def described_object(entry: CustomObjectType, columns: Mapping[str, pl.DataType]) -> dict[str, Any]:
    """Return a custom object type as `describe.json` shows it, with all required members.

    `columns` are those that its table has, with their types.
    """
    shown = {
        "apiName": entry.api_name,
        "displayName": entry.api_name,
        "pluralName": entry.description.get("displayName", entry.api_name),
        "description": "",
        "createdAt": _SINCE,
        "updatedAt": _SINCE,
        "idField": "marketoGUID",
        "dedupeFields": [],
        "searchableFields": entry.searchable_fields,
        "relationships": [],
        "state": "approved",
        "status": "approved",
        "version": "approved",
        **{name: value for name, value in entry.description.items() if value is not None},
    }
    declared = {field["name"]: field for field in entry.description.get("fields", [])}
    shown["fields"] = [
        described_field(
            name,
            shown_type(of, columns.get(name)),
            declared.get(name, {"updateable": name not in OWN_FIELDS}),
        )
        for name, of in entry.fields.items()
    ]
    return shown


_NAME = "custom-objects"
_PLURAL = "custom objects"
_PATH = "customobjects/{apiName}"
_PERMISSIONS = frozenset({"Read-Only Custom Object", "Read-Write Custom Object"})
_FIELDS = "marketoGUID,leadId"
_EXTRACT_HELP = """Extract custom objects of one type, by one filter: updated, or of the leads of a
    list.

    Example: `outhaul extract custom-objects --type boat_c --fields marketoGUID,leadId
    --static-list-id 1001 --output boats.csv`
    """
_LOAD_HELP = """Load custom objects of one type of the catalog; they merge by marketoGUID.

    Example: `outhaul load custom-objects boats.csv --type boat_c --data ./data`
    """

CUSTOM_OBJECTS = KindFamily(
    name=_NAME,
    plural=_PLURAL,
    noun="custom object type",
    path=_PATH,
    parameter=path_parameter("apiName", TEXT, "The name of a custom object type."),
    option=TypeOption(
        help="API name of the custom object type: boat_c.", example="boat_c", metavar="API_NAME"
    ),
    permissions=_PERMISSIONS,
    filters=_filters(""),
    rule=exactly_one_of(_filters("")),
    fields_example=_FIELDS,
    extract_help=_EXTRACT_HELP,
    load_help=_LOAD_HELP,
    types=lambda catalog: catalog.custom_object_types(),
    make_kind=_kind,
    descriptions=(
        Description(
            path="/rest/v1/customobjects.json",
            find=custom_object_types,
            result=CustomObjectDescription,
            parameters=(texts("names", "Only the types that have one of these API names."),),
        ),
        Description(
            path="/rest/v1/customobjects/{customObjectName}/describe.json",
            find=custom_object_type,
            result=CustomObjectDescription,
            parameters=(path_parameter("customObjectName", TEXT, "The API name of a type."),),
        ),
    ),
)
