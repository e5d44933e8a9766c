"""Activities (bulk activity extract): a window, and filters by type and primary attribute."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from outhaul.catalog import entries
from outhaul.catalog.entries import AssetType
from outhaul.errors import Error
from outhaul.kinds.describing import DescribeQuery, Description
from outhaul.kinds.expiry import unexpired
from outhaul.kinds.filter import Context, Filter, FiltersError, Rule
from outhaul.kinds.kind import Kind
from outhaul.kinds.loading import Deleting, Loading, Merging
from outhaul.kinds.merge_ids import losers_of
from outhaul.kinds.options import WINDOW, integers_option, texts_option
from outhaul.kinds.shared_filters import created_at
from outhaul.lake.clauses import AnyOf, Clause, OneOf
from outhaul.lake.tables import ACTIVITIES as TABLE
from outhaul.lake.tables import DELETE_LEAD, MERGE_LEADS
from outhaul.protocol.answers.descriptions import ActivityType
from outhaul.protocol.answers.envelope import Found
from outhaul.protocol.body import read_integers, read_texts
from outhaul.protocol.parameters import OFFSET
from outhaul.protocol.shapes import TEXT, WRITTEN_INTEGER, array_of, described
from outhaul.records.columns import Column

if TYPE_CHECKING:
    from outhaul.catalog.store import Catalog

DEFAULT_FIELDS = (
    "marketoGUID",
    "leadId",
    "activityDate",
    "activityTypeId",
    "campaignId",
    "primaryAttributeValueId",
    "primaryAttributeValue",
    "attributes",
)
FURTHER_FIELDS = ("actionResult",)
_STAND_INS = {"attributes": "{}"}


@dataclass(frozen=True)
class AssetGroup:
    """Activity types whose primary attributes are of the same sort."""

    name: str
    activity_types: frozenset[int]
    assets: AssetType | None
    """The asset type of the primary attribute; `None` if it is not an asset."""


ASSET_GROUPS = (
    AssetGroup("Attribute Name", frozenset({13, 22}), None),
    AssetGroup("Marketing Program", frozenset({104}), AssetType.PROGRAM),
    AssetGroup("Static List", frozenset({24, 25}), AssetType.STATIC_LIST),
    AssetGroup("Web Form", frozenset({2}), AssetType.FORM),
)


def check_types(types: Collection[int], parameter: str, context: Context) -> None:
    """Raise 1003 if the catalog does not have a type.

    The original has deletions only in the look-up of deleted leads (bulk activity extract,
    filters). But clients loop over all types of the catalog, so the type of deletions is accepted
    unless the limit `delete_lead_type` is false.
    """
    if DELETE_LEAD in types and not context.limits.delete_lead_type:
        raise Error.INVALID(
            parameter=parameter,
            problem="type 37 (Delete Lead) cannot be had here; "
            "use /rest/v1/activities/deletedleads.json",
        )
    known = context.catalog.activity_types()
    for type_id in types:
        if type_id not in known:
            raise Error.INVALID(parameter=parameter, problem=f"there is no activity type {type_id}")


def _read_types(value: object, parameter: str, context: Context) -> list[int]:
    types = read_integers(value, parameter)
    check_types(types, parameter, context)
    return sorted(set(types))


def _at_most(values: list[Any], parameter: str, limit: int) -> None:
    if len(values) > limit:
        raise Error.INVALID(
            parameter=parameter, problem=f"{len(values)} values, where {limit} are allowed"
        )


def _read_value_ids(value: object, parameter: str, context: Context) -> list[int]:
    ids = read_integers(value, parameter)
    _at_most(ids, parameter, context.limits.primary_attribute_values)
    return ids


def _read_values(value: object, parameter: str, context: Context) -> list[str]:
    names = read_texts(value, parameter)
    _at_most(names, parameter, context.limits.primary_attribute_values)
    return names


def _types_clause(filters: Mapping[str, Any], _: Context) -> Clause:
    return OneOf("activityTypeId", tuple(filters["activityTypeIds"]))


def _value_ids_clause(filters: Mapping[str, Any], _: Context) -> Clause:
    return OneOf("primaryAttributeValueId", tuple(filters["primaryAttributeValueIds"]))


def _values_clause(filters: Mapping[str, Any], context: Context) -> Clause:
    """Return the clause for names: it matches the name, or the ids of the assets of that name.

    The ids are needed because the filter may name `program.form`, and an activity only `form`.
    """
    names = filters["primaryAttributeValues"]
    by_name = OneOf("primaryAttributeValue", tuple(names))
    group = _asset_group(filters["activityTypeIds"], "primaryAttributeValues")
    if group.assets is None:
        return by_name
    found = context.catalog.assets_named(group.assets, names)
    if not found:
        return by_name
    return AnyOf((by_name, OneOf("primaryAttributeValueId", tuple(entry.id for entry in found))))


_FILTERS = (
    created_at("activityDate", first=True),
    Filter(
        name="activityTypeIds",
        shape=array_of(WRITTEN_INTEGER),
        read=_read_types,
        clause=_types_clause,
        option=integers_option("--activity-type-ids", "Only these types: {}.", "1,12,13"),
    ),
    Filter(
        name="primaryAttributeValueIds",
        shape=described(
            array_of(WRITTEN_INTEGER),
            "Ids of primary attributes. It needs `activityTypeIds` of one asset group.",
        ),
        read=_read_value_ids,
        clause=_value_ids_clause,
        option=integers_option(
            "--primary-attribute-value-ids",
            "Only activities about these assets or lead fields, 50 ids at most: {}. Needs "
            "--activity-type-ids of one group, such as forms.",
            "16,102,95",
        ),
    ),
    Filter(
        name="primaryAttributeValues",
        shape=described(
            array_of(TEXT),
            "Names of primary attributes. It needs `activityTypeIds` of one asset group, and "
            "excludes `primaryAttributeValueIds`.",
        ),
        read=_read_values,
        clause=_values_clause,
        option=texts_option(
            "--primary-attribute-values",
            "The same by name: '{}'.",
            "GL_OP_ALL_2021.MPS Outbound",
        ),
    ),
)


def _check(filters: Mapping[str, Any], _context: Context) -> None:
    if "createdAt" not in filters:
        raise Error.PARAMETER_MISSING(parameter="filter.createdAt")
    primary = [name for name in filters if name.startswith("primaryAttribute")]
    if len(primary) > 1:
        raise Error.INVALID(
            parameter=f"filter.{primary[1]}", problem=f"it cannot be used with {primary[0]}"
        )
    if primary:
        _asset_group(filters.get("activityTypeIds"), primary[0])


def _asset_group(types: list[int] | None, filter_name: str) -> AssetGroup:
    """Return the group that contains all `types` (bulk activity extract, filters)."""
    if types is None:
        raise Error.PARAMETER_MISSING(parameter="filter.activityTypeIds")
    for group in ASSET_GROUPS:
        if group.activity_types >= set(types):
            return group
    groups = "; ".join(
        f"{', '.join(map(str, sorted(group.activity_types)))} ({group.name})"
        for group in ASSET_GROUPS
    )
    raise Error.INVALID(
        parameter="filter.activityTypeIds",
        problem=f"with {filter_name} all types must be of one asset group: {groups}",
    )


def _check_options(filters: Mapping[str, Any]) -> None:
    if "createdAt" not in filters:
        raise FiltersError(f"activities need a period: {WINDOW}", "createdAt")
    if "primaryAttributeValueIds" in filters and "primaryAttributeValues" in filters:
        raise FiltersError("it excludes --primary-attribute-values", "primaryAttributeValueIds")


def _fields(_: Context) -> Mapping[str, pl.DataType]:
    return {name: TABLE.columns[name] for name in (*DEFAULT_FIELDS, *FURTHER_FIELDS)}


def _columns(catalog: "Catalog") -> Iterable[Column]:
    needed = ("marketoGUID", "leadId", "activityDate", "activityTypeId")
    for name, of in TABLE.columns.items():
        if name == "activityTypeId":
            yield Column(
                name=name,
                type=of,
                required=True,
                members=catalog.activity_types().keys(),
                members_of="an activity type of the catalog",
            )
        else:
            yield Column(
                name=name,
                type=of,
                required=name in needed,
                positive=name == "leadId",
                json_object=name == "attributes",
            )


def activity_types(query: DescribeQuery) -> Found:
    """List activity types, after the first `offset`."""
    types = list(query.catalog.activity_types().values())
    return Found([described_type(entry) for entry in types[query.offset() :]])


def described_type(entry: entries.ActivityType) -> dict[str, Any]:
    """Return an activity type as `activities/types.json` shows it, without null members."""
    shown = {"id": entry.id, "name": entry.name, "attributes": [], **entry.description}
    return {name: value for name, value in shown.items() if value is not None}


ACTIVITIES = Kind(
    name="activities",
    plural="activities",
    path="activities",
    permissions=frozenset({"Read-Only Activity", "Read-Write Activity"}),
    filters=_FILTERS,
    rule=Rule(check=_check, shape={"required": ["createdAt"]}, check_options=_check_options),
    fields=_fields,
    fields_example="leadId,activityDate,attributes",
    default_fields=DEFAULT_FIELDS,
    stand_ins=_STAND_INS,
    always=unexpired,
    extract_help="""Extract activities of a period, all of them or of some types.

    Example: `outhaul extract activities --activity-type-ids 1,12,13
    --created-at 2026-01-01T00:00:00Z/2026-01-31T23:59:59Z --output activities.csv`
    """,
    load_help=f"""Load activities; they merge by marketoGUID. Those of type {DELETE_LEAD} delete
    their leads for good, and those of type {MERGE_LEADS} merge leads.

    Example: `outhaul load activities 2026-01.csv 2026-02.csv --data ./data`
    """,
    loading=Loading(
        table=TABLE,
        columns=_columns,
        stand_ins=_STAND_INS,
        deleting=Deleting(
            condition=pl.col("activityTypeId") == DELETE_LEAD,
            lead="leadId",
            moment="activityDate",
        ),
        merging=Merging(
            condition=pl.col("activityTypeId") == MERGE_LEADS,
            winner="leadId",
            losers="attributes",
            read=losers_of,
            moment="activityDate",
            name="marketoGUID",
        ),
    ),
    descriptions=(
        Description(
            path="/rest/v1/activities/types.json",
            find=activity_types,
            result=ActivityType,
            parameters=(OFFSET,),
        ),
    ),
)
