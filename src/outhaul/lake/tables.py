"""Declarations of tables: columns, keys, order, partitions.

A kind declares its table in its own module. The tables of leads, activities and list members are
here, because clauses and smart lists read them too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from outhaul.records.columns import INSTANT

CHANGED_AT = "outhaul_changed_at"
"""The moment of the last change of any field, which the filter `updatedAt` tests.

The field `updatedAt` of a record does not count (bulk lead extract).
"""

DELETE_LEAD = 37
"""The type of activities that delete a lead."""

MERGE_LEADS = 32
"""The type of activities that merge leads into the lead of the activity."""

LEADS_A_RANGE = 50_000
"""Size of the range of ids in one partition of leads."""

DELETED_A_RANGE = 1_000_000
"""Size of the range of ids in one partition of deleted leads, and of merged leads.

It is large because they are few, and every load reads all of them.
"""

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
    """The columns that identify a record."""
    order: tuple[str, ...]
    """The columns by which the records of a file, and of an export, are sorted."""
    partition: str
    """The partition column. Partitions must follow the order of records."""
    partition_value: pl.Expr
    """The value of the partition column, as an expression of other columns."""
    columns: Mapping[str, pl.DataType]
    """The columns that the table always has, without the partition column."""
    statistics: tuple[str, ...]
    """The columns whose least and greatest value are in the statistics of each file."""
    partition_type: pl.DataType = field(default_factory=pl.Int64)
    """The type of the partition column: an integer or a date."""
    lead: str | None = None
    """The column with a lead's id, if lists of leads can select records."""
    depends_on: str | None = None
    """The column of the lead that a record depends on: deleting the lead deletes the record."""
    keeps_lead: pl.Expr | None = None
    """True of a record that still refers to its lead after the lead lost in a merge."""

    @property
    def lead_column(self) -> str | None:
        """The column with a lead's id, if the table has one."""
        return self.lead or self.depends_on

    @property
    def refers_to_leads(self) -> bool:
        """Whether the table has a column with a lead's id."""
        return self.lead_column is not None

    @property
    def lead_reference(self) -> str:
        """The column with a lead's id, of a table that has one."""
        assert self.lead_column is not None, self.name  # noqa: S101 - callers ask first
        return self.lead_column

    @property
    def is_of_leads(self) -> bool:
        """Whether each record is a lead, and does not refer to one."""
        return self.key == (self.lead_column,)

    @property
    def lead_decides_partition(self) -> bool:
        """Whether a record gets to another partition if it refers to another lead."""
        return self.lead_column in self.partition_value.meta.root_names()

    @property
    def ranges_of_leads(self) -> bool:
        """Whether each partition is a range of lead ids."""
        return self.partition_value.meta.root_names() == [self.lead]

    @property
    def has_members(self) -> bool:
        """Whether each partition has all members of a list or program, the first of the key."""
        return self.partition_value.meta.root_names() == [self.key[0]] and len(self.key) > 1

    @property
    def partition_key(self) -> str:
        """The column of the key that differs between the records of one partition."""
        return self.key[-1]

    @property
    def key_decides_partition(self) -> bool:
        """Whether a record never changes its partition. An activity can: its date may change."""
        return set(self.partition_value.meta.root_names()) <= set(self.key)


@dataclass(frozen=True, kw_only=True)
class Join:
    """A second table, whose columns are read along with those of each record."""

    table: Table
    left: str
    """The column of the first table with the key of the other record."""
    right: str
    """The key of the second table, which must be partitioned by ranges of this column."""


ACTIVITIES = Table(
    name="activities",
    key=("marketoGUID",),
    order=("activityDate", "marketoGUID"),
    partition="day",
    partition_type=pl.Date(),
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
    # It says that the loser was deleted, not the winner.
    keeps_lead=pl.col("activityTypeId") == DELETE_LEAD,
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

MERGED_LEADS = Table(
    name="merged_leads",
    key=("leadId",),
    order=("leadId",),
    partition="outhaul_range",
    partition_value=pl.col("leadId") // DELETED_A_RANGE,
    columns={"leadId": pl.Int64(), "winnerId": pl.Int64(), "mergedAt": INSTANT},
    statistics=("leadId", "winnerId", "mergedAt"),
)


def type_name(of: pl.DataType) -> str:
    """Return the name of a type in Delta."""
    return _DELTA_NAMES[str(of)]


def parse_type(name: str) -> pl.DataType:
    """Return the type with this name in Delta."""
    return _DELTA_TYPES[name]
