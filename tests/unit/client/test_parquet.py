"""Parquet files that appear when they are whole."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from outhaul.client import (
    OutputError,
    OutputTakenError,
    ParquetFile,
    ParquetFolder,
    parquet,
    write_parquet,
)

SCHEMA = pa.schema([("id", pa.int64()), ("at", pa.timestamp("us", tz="UTC"))])


def batch(first: int, count: int = 10) -> pa.RecordBatch:
    ids = pa.array(range(first, first + count), pa.int64())
    return pa.RecordBatch.from_arrays([ids, ids.cast(SCHEMA.field("at").type)], schema=SCHEMA)


def ids(path: Path) -> list[int]:
    found: list[int] = pa_parquet.read_table(path)["id"].to_pylist()
    return found


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def broken_off(output: ParquetFile | ParquetFolder) -> None:
    """Write records, and leave the context before the end."""
    with output:
        if isinstance(output, ParquetFile):
            output.write(batch(10))
        else:
            output.write("3", batch(10))


def test_batches_become_one_file(tmp_path: Path) -> None:
    target = tmp_path / "leads.parquet"
    write_parquet([batch(0), batch(10)], target)
    assert ids(target) == list(range(20))
    found = pa_parquet.ParquetFile(target)
    assert found.schema_arrow == SCHEMA
    assert found.metadata.num_row_groups == 1
    assert found.metadata.row_group(0).column(0).compression == "ZSTD"
    assert names(tmp_path) == ["leads.parquet"]


def test_many_rows_are_several_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_GROUP_RECORDS", 25)
    target = tmp_path / "leads.parquet"
    write_parquet((batch(n) for n in range(0, 100, 10)), target)
    assert ids(target) == list(range(100))
    assert pa_parquet.ParquetFile(target).metadata.num_row_groups == 4


def test_a_file_without_records_has_its_columns(tmp_path: Path) -> None:
    write_parquet([], tmp_path / "leads.parquet", SCHEMA)
    assert pa_parquet.read_schema(tmp_path / "leads.parquet") == SCHEMA


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "leads.parquet"
    write_parquet([batch(0)], target)
    target.chmod(0o660)  # which a umask would not give
    broken_off(ParquetFile(target))
    assert (ids(target), names(tmp_path)) == (list(range(10)), ["leads.parquet"])
    with ParquetFile(target) as output:
        output.write(batch(10))
        assert ids(target) == list(range(10))
        output.finish(SCHEMA)
    assert ids(target) == list(range(10, 20))
    assert target.stat().st_mode & 0o777 == 0o660


def test_rows_of_a_run_that_was_killed_are_removed(tmp_path: Path) -> None:
    target = tmp_path / "leads.parquet"
    (tmp_path / "leads.parquet.part").write_bytes(b"x" * 100_000)
    write_parquet([batch(0)], target)
    assert ids(target) == list(range(10))
    assert target.stat().st_size < 100_000


def test_two_runs_at_once_are_one(tmp_path: Path) -> None:
    for output in (ParquetFile, ParquetFolder):
        with output(tmp_path / "out"), pytest.raises(OutputTakenError, match="another run"):  # noqa: SIM117
            with output(tmp_path / "out"):
                pass
    assert names(tmp_path) == []


def test_a_link_stays(tmp_path: Path) -> None:
    (tmp_path / "link.parquet").symlink_to("leads.parquet")
    write_parquet([batch(0)], tmp_path / "link.parquet")
    assert (tmp_path / "link.parquet").is_symlink()
    assert ids(tmp_path / "leads.parquet") == list(range(10))


@pytest.mark.parametrize("name", ["", ".", "none/leads.parquet", "/dev/null", "/dev/stdout"])
@pytest.mark.parametrize("output", [ParquetFile, ParquetFolder])
def test_outputs_that_are_refused(
    name: str, output: type[ParquetFile | ParquetFolder], tmp_path: Path
) -> None:
    (tmp_path / "other.txt").touch()
    path = os.path.join(tmp_path, name) if name != "" else name  # noqa: PTH118 - keeps the dot
    if (name, output) == ("", ParquetFolder):
        return
    with pytest.raises(OutputError), output(path):
        pass
    assert names(tmp_path) == ["other.txt"]


def test_a_folder_gets_a_file_for_each_name(tmp_path: Path) -> None:
    with ParquetFolder(f"{tmp_path}/out/") as output:
        output.write("1-visit", batch(0))
        output.write("2", batch(10))
        output.write("1-visit", batch(20))
        assert output.names == ["1-visit.parquet", "2.parquet"]
        assert not (tmp_path / "out").exists()
        output.finish()
    assert names(tmp_path) == ["out", "out/1-visit.parquet", "out/2.parquet"]
    assert ids(tmp_path / "out" / "1-visit.parquet") == [*range(10), *range(20, 30)]


def test_a_folder_of_an_earlier_run_is_replaced(tmp_path: Path) -> None:
    for name in ("1", "2"):
        with ParquetFolder(tmp_path / "out") as output:
            output.write(name, batch(0))
            output.finish()
    assert names(tmp_path) == ["out", "out/2.parquet"]
    broken_off(ParquetFolder(tmp_path / "out"))
    assert names(tmp_path) == ["out", "out/2.parquet"]


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "Notes.txt").touch()
    with pytest.raises(OutputError, match=r"Notes\.txt"), ParquetFolder(tmp_path / "out"):
        pass
    assert names(tmp_path) == ["out", "out/Notes.txt"]


def test_the_rows_that_wait_are_few_however_many_files_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 100 * batch(0).get_total_buffer_size()
    monkeypatch.setattr(parquet, "_GROUP_BYTES", limit)
    with ParquetFolder(tmp_path / "out") as output:
        for n in range(1000):
            output.write(str(n % 150), batch(n))
            assert sum(rows.size for rows in output._rows.values()) < limit
        output.finish()
    assert ids(tmp_path / "out" / "7.parquet")[:11] == [*range(7, 17), 157]
