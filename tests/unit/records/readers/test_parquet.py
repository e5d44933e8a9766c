from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
from tests.support.reading_files import refused

from outhaul.records.readers import open_reader, parquet


def write_parquet(folder: Path, **columns: pa.Array) -> Path:
    path = folder / "a.parquet"
    pa_parquet.write_table(pa.table(columns), path)
    return path


def test_parquet_keeps_types(tmp_path: Path) -> None:
    moment = datetime(2026, 1, 31, tzinfo=UTC)
    path = write_parquet(
        tmp_path,
        text=pa.array(["", "null", None, "a\r\n\0"]),
        encoded=pa.array(["x", None, "x", "y"]).dictionary_encode(),
        number=pa.array([1, None, 3, 4], pa.int32()),
        moment=pa.array([moment, None, None, None], pa.timestamp("ms", "UTC")),
        nothing=pa.nulls(4),
    )
    (batch,) = open_reader(path).batches(lambda _: None)
    assert batch.to_dict(as_series=False) == {
        "text": ["", "null", None, "a\r\n\0"],
        "encoded": ["x", None, "x", "y"],
        "number": [1, None, 3, 4],
        "moment": [moment, None, None, None],
        "nothing": [None] * 4,
    }
    assert batch["encoded"].dtype == pl.String


def test_parquet_is_read_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "BATCH_RECORDS", 10)
    reader = open_reader(write_parquet(tmp_path, a=pa.array(range(25))))
    shares: list[float] = []
    batches = list(reader.batches(shares.append))
    assert [batch.height for batch in batches] == [10, 10, 5]
    assert shares == [0.4, 0.8, 1.0]
    assert reader.line_of(24) == 25


@pytest.mark.parametrize(
    "values",
    [
        pa.array([["a"]]),
        pa.array([{"a": 1}]),
        pa.array([b"a"]),
        pa.array([1], pa.time64("us")),
        pa.array([1], pa.duration("us")),
    ],
)
def test_parquet_columns_of_other_types_are_refused(values: pa.Array, tmp_path: Path) -> None:
    problem = refused(write_parquet(tmp_path, a=values))
    assert problem.startswith(f": column 'a' is of type {str(values.type).partition('<')[0]}")
    assert problem.endswith("which cannot be loaded")


def test_parquet_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    text = pa.array([b"x\xff"]).view(pa.string())
    assert "UTF8" in refused(write_parquet(tmp_path, a=text))


def test_a_parquet_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    columns = [pa.array(["1"]), pa.array(["2"])]
    pa_parquet.write_table(pa.Table.from_arrays(columns, names=["a", "a"]), path)
    assert refused(path) == ": column 'a' is there twice"


def cut_short(content: bytes) -> bytes:
    return content[:-10]


def spoilt(content: bytes) -> bytes:
    return content[:10] + bytes(byte ^ 0xFF for byte in content[10:40]) + content[40:]


@pytest.mark.parametrize("spoil", [cut_short, spoilt, lambda _: b"", lambda _: b"a,b\n1,2\n" * 9])
def test_a_file_that_is_no_parquet_is_refused(spoil: Any, tmp_path: Path) -> None:
    path = write_parquet(tmp_path, a=pa.array(["x" * 50] * 1000))
    path.write_bytes(spoil(path.read_bytes()))
    assert refused(path).startswith(": not a Parquet file: ")


def test_long_records_are_read_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "BATCH_BYTES", 1_000)
    values = pa.array([f"{n}" * 1_000 for n in range(10, 40)])
    path = tmp_path / "a.parquet"
    pa_parquet.write_table(pa.table({"a": values}), path, use_dictionary=False)
    batches = list(open_reader(path).batches(lambda _: None))
    assert len(batches) > 5
    assert [value for batch in batches for value in batch["a"]] == values.to_pylist()
