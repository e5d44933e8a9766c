"""What a table of a lake is: columns, what identifies a record, order, partitions.

A kind declares its table in its own module. Those of leads, activities and list members are here,
because clauses and the rules of smart lists read them too.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

INSTANT = pl.Datetime("us", "UTC")

CHANGED_AT = "outhaul_changed_at"
"""When any field of a record changed last: what the filter updatedAt means (bulk lead extract)."""

LEADS_A_RANGE = 50_000
"""Ids that one partition of leads covers."""

DELETED_A_RANGE = 1_000_000
"""Ids that one partition of deleted leads covers: they are few, and all are read by every load."""

_TYPES: Mapping[str, pl.DataType] = {
    "boolean": pl.Boolean(),
    "integer": pl.Int64(),
    "score": pl.Int64(),
    "currency": pl.Float64(),
    "float": pl.Float64(),
    "percent": pl.Float64(),
    "date": pl.Date(),
    "datetime": INSTANT,
}

_DELTA_TYPES: Mapping[str, pl.DataType] = {
    "string": pl.String(),
    "long": pl.Int64(),
    "double": pl.Float64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "timestamp": INSTANT,
}

_DELTA_NAMES = {str(of): name for name, of in _DELTA_TYPES.items()}


@dataclass(frozen=True, kw_only=True)
class Table:
    """A Delta table: partitioned by one column, its files sorted by `order`."""

    name: str
    key: tuple[str, ...]
    """What identifies a record."""
    order: tuple[str, ...]
    """The order of the records in a file and, over the partitions, in an export."""
    partition: str
    """The partition column; partitions follow the order."""
    partition_value: pl.Expr
    """What the partition column is, of the other columns."""
    columns: Mapping[str, pl.DataType]
    """The columns that are always there, without the partition column."""
    statistics: tuple[str, ...]
    """The columns whose least and greatest value every file carries."""
    lead: str | None = None
    """The column that holds a lead's id, where lists of leads choose records."""
    depends_on: str | None = None
    """The column of the lead that a record depends on: deleting the lead deletes the record."""

    @property
    def ranges_of_leads(self) -> bool:
        """Whether a partition is a range of lead ids."""
        return self.partition_value.meta.root_names() == [self.lead]

    @property
    def partition_key(self) -> str:
        """The column that tells records of one partition apart."""
        return self.key[-1]

    @property
    def partition_type(self) -> pl.DataType:
        """The type of the partition column."""
        return pl.Date() if self.partition == "day" else pl.Int64()

    @property
    def key_decides_partition(self) -> bool:
        """Whether a record stays in its partition: the date of an activity may be corrected."""
        return set(self.partition_value.meta.root_names()) <= set(self.key)


@dataclass(frozen=True, kw_only=True)
class Join:
    """A second table, whose columns can be read with those of each record."""

    table: Table
    left: str
    """The column of the first table that names the other record."""
    right: str
    """The column that identifies the other record, and by whose ranges its table is partitioned."""


ACTIVITIES = Table(
    name="activities",
    key=("marketoGUID",),
    order=("activityDate", "marketoGUID"),
    partition="day",
    partition_value=pl.col("activityDate").dt.date(),
    columns={
        "marketoGUID": pl.String(),
        "leadId": pl.Int64(),
        "activityDate": INSTANT,
        "activityTypeId": pl.Int64(),
        "campaignId": pl.Int64(),
        "primaryAttributeValueId": pl.Int64(),
        "primaryAttributeValue": pl.String(),
        "attributes": pl.String(),
        "actionResult": pl.String(),
    },
    statistics=("marketoGUID", "leadId", "activityDate", "activityTypeId"),
    lead="leadId",
)

LEADS = Table(
    name="leads",
    key=("id",),
    order=("id",),
    partition="outhaul_range",
    partition_value=pl.col("id") // LEADS_A_RANGE,
    columns={
        "id": pl.Int64(),
        "createdAt": INSTANT,
        "updatedAt": INSTANT,
        CHANGED_AT: INSTANT,
    },
    statistics=("id", "createdAt", "updatedAt", CHANGED_AT),
    lead="id",
    depends_on="id",
)

LIST_MEMBERS = Table(
    name="list_members",
    key=("listId", "leadId"),
    order=("leadId",),
    partition="listId",
    partition_value=pl.col("listId"),
    columns={"leadId": pl.Int64()},
    statistics=("leadId",),
    depends_on="leadId",
)

DELETED_LEADS = Table(
    name="deleted_leads",
    key=("leadId",),
    order=("leadId",),
    partition="outhaul_range",
    partition_value=pl.col("leadId") // DELETED_A_RANGE,
    columns={"leadId": pl.Int64(), "deletedAt": INSTANT},
    statistics=("leadId", "deletedAt"),
)


def column_type(data_type: str) -> pl.DataType:
    """Return the type of the column that holds a field of a catalog's `dataType`; mostly text."""
    return _TYPES.get(data_type, pl.String())


def type_name(of: pl.DataType) -> str:
    """Return what Delta calls a type."""
    return _DELTA_NAMES[str(of)]


def parse_type(name: str) -> pl.DataType:
    """Return the type that Delta calls so."""
    return _DELTA_TYPES[name]
