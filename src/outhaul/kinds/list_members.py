"""Members of static lists. They can be loaded, and filters use them; they are not exported."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import polars as pl

from outhaul.catalog.entries import AssetType
from outhaul.kinds.kind import PlainRecords
from outhaul.kinds.loading import Loading
from outhaul.lake.tables import LIST_MEMBERS as TABLE
from outhaul.records.columns import Column

if TYPE_CHECKING:
    from outhaul.catalog.store import Catalog


def _columns(catalog: "Catalog") -> Iterable[Column]:
    yield Column(
        name="listId",
        type=pl.Int64(),
        required=True,
        members=[entry.id for entry in catalog.assets(AssetType.STATIC_LIST)],
        members_of="a static list of the catalog",
    )
    yield Column(name="leadId", type=pl.Int64(), required=True, positive=True)


LIST_MEMBERS = PlainRecords(
    name="list-members",
    plural="list members",
    load_help="""Load members of static lists: pairs of listId and leadId.

    Example: `outhaul load list-members members.jsonl --data ./data`
    """,
    loading=Loading(table=TABLE, columns=_columns),
)
