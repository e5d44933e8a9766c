"""A fifth kind, as another package would bring it: opportunities, each of a lead."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from outhaul.kinds.describing import DescribeQuery, Description, described_field
from outhaul.kinds.filter import Context, Filter
from outhaul.kinds.kind import Kind
from outhaul.kinds.loading import Loading
from outhaul.kinds.options import texts_option
from outhaul.kinds.shared_filters import created_at, exactly_one_of, static_list_id
from outhaul.lake.clauses import Clause, OneOf
from outhaul.lake.tables import Table
from outhaul.protocol.answers.descriptions import RecordDescription
from outhaul.protocol.answers.envelope import Found
from outhaul.protocol.body import read_texts
from outhaul.protocol.shapes import TEXT, array_of
from outhaul.records.columns import INSTANT, Column
from outhaul.records.conversions import data_type

if TYPE_CHECKING:
    from outhaul.catalog.store import Catalog

TABLE = Table(
    name="opportunities",
    key=("externalOpportunityId",),
    order=("leadId", "externalOpportunityId"),
    partition="outhaul_range",
    partition_value=pl.col("leadId") // 50_000,
    columns={
        "externalOpportunityId": pl.String(),
        "leadId": pl.Int64(),
        "name": pl.String(),
        "stage": pl.String(),
        "amount": pl.Float64(),
        "isWon": pl.Boolean(),
        "createdAt": INSTANT,
    },
    statistics=("externalOpportunityId", "leadId", "createdAt"),
    lead="leadId",
    depends_on="leadId",
)


def _read_stages(value: object, parameter: str, _: Context) -> list[str]:
    return sorted(set(read_texts(value, parameter)))


def _stages_clause(filters: Mapping[str, Any], _: Context) -> Clause:
    return OneOf("stage", tuple(filters["stages"]))


FILTERS = (
    created_at("createdAt"),
    Filter(
        name="stages",
        shape=array_of(TEXT),
        read=_read_stages,
        clause=_stages_clause,
        option=texts_option("--stages", "Only opportunities in this stage: '{}'.", "Closed Won"),
    ),
    static_list_id("staticListId", "leadId"),
)


def _fields(_: Context) -> Mapping[str, pl.DataType]:
    return TABLE.columns


def _loadable(_: "Catalog") -> Iterable[Column]:
    for name, of in TABLE.columns.items():
        needed = name in {"externalOpportunityId", "leadId"}
        yield Column(name=name, type=of, required=needed, positive=name == "leadId")


def describe(_: DescribeQuery) -> Found:
    """List the fields of opportunities."""
    fields = [described_field(name, data_type(of), {}) for name, of in TABLE.columns.items()]
    return Found([{"name": "Opportunity", "searchableFields": [], "fields": fields}])


OPPORTUNITIES = Kind(
    name="opportunities",
    plural="opportunities",
    path="opportunities",
    permissions=frozenset({"Read-Only Opportunity", "Read-Write Opportunity"}),
    filters=FILTERS,
    rule=exactly_one_of(FILTERS),
    fields=_fields,
    fields_example="externalOpportunityId,leadId,amount",
    default_fields=("externalOpportunityId", "leadId", "stage", "amount"),
    extract_help="""Extract opportunities, by one filter: created, in a stage, or of a list's leads.

    Example: `outhaul extract opportunities --stages "Closed Won" --output won.csv`
    """,
    load_help="""Load opportunities; they merge by externalOpportunityId.

    Example: `outhaul load opportunities opportunities.csv --data ./data`
    """,
    loading=Loading(table=TABLE, columns=_loadable),
    descriptions=(
        Description(
            path="/rest/v1/opportunities/describe.json", find=describe, result=RecordDescription
        ),
    ),
)
