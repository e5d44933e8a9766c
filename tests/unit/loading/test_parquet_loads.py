"""What a Parquet file has is exported with its own digits, and loading it again changes nothing."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
from tests.support.loads import load_leads
from tests.support.plans import planned, rendered

from outhaul.catalog.store import Catalog
from outhaul.kinds.filter import Context
from outhaul.lake.snapshot import Lake
from outhaul.limits import Limits
from outhaul.records.readers import parquet

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)
TODAY = {"createdAt": {"startAt": "2026-01-31T00:00:00Z", "endAt": "2026-01-31T23:59:59Z"}}


@pytest.mark.parametrize(
    ("array", "of", "cells"),
    [
        (
            pa.array([Decimal("0.123456789012345678"), Decimal("1.5")], pa.decimal128(38, 18)),
            "string",
            ["0.123456789012345678", "1.5"],
        ),
        (pa.array([0.1, 16777216.0], pa.float32()), "float", ["0.1", "16777216"]),
        (pa.array([1e16, 1e22]), "float", ["1" + "0" * 16, "1" + "0" * 22]),
        (pa.array([2**63, 1], pa.uint64()), "string", [str(2**63), "1"]),
        (
            pa.array([1, 10**9], pa.int64()).cast(pa.timestamp("ns")),
            "string",
            ["1970-01-01T00:00:00.000000001Z", "1970-01-01T00:00:01Z"],
        ),
        (pa.array([True, None]), "boolean", ["true", "null"]),
        (pa.array([None, None], pa.int8()), "string", ["null", "null"]),
        # The values of the second batch decide.
        (
            pa.array([Decimal(1), Decimal("0.5")], pa.decimal128(10, 2)),
            "float",
            ["1", "0.5"],
        ),
        (
            pa.array([Decimal(1), Decimal("0.12345678901234567")], pa.decimal128(38, 17)),
            "string",
            ["1", "0.12345678901234567"],
        ),
    ],
)
def test_values_keep_their_digits(  # noqa: PLR0913 - the values, and what becomes of them
    lake: Lake,
    catalog: Catalog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    array: pa.Array,
    of: str,
    cells: list[str],
) -> None:
    monkeypatch.setattr(parquet, "BATCH_RECORDS", 1)
    path = tmp_path / "a.parquet"
    pa_parquet.write_table(pa.table({"id": [1, 2], "x": array}), path)
    loads = [
        load_leads(lake, catalog, path, MOMENT, lambda _: None, infer=infer)
        for infer in (True, True, False)
    ]
    assert [loaded.merged.added for loaded in loads] == [2, 0, 0]
    assert [loaded.merged.unchanged for loaded in loads] == [0, 2, 2]
    assert catalog.lead_fields()["x"].data_type == of
    context = Context(catalog=catalog, limits=Limits(), moment=MOMENT)
    plan = planned("leads", {"fields": ["id", "x"], "filter": TODAY}, context, lake)
    lines = rendered(plan, lake).decode().splitlines()[1:]
    assert lines == [f"1,{cells[0]}", f"2,{cells[1]}"]
