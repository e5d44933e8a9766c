import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.support.examples import examples

from outhaul.loading import readers
from outhaul.loading.readers import FileError, delimited, json_lines, open_reader, parquet
from outhaul.protocol.dialects import line

Row = tuple[Any, ...]

EXAMPLES = examples(80, suppress_health_check=[HealthCheck.function_scoped_fixture])
# Whatever is hard to write, and whatever is easy to confuse.
TEXTS = st.text(st.sampled_from([*'a,"\t ;\r\n\0\x0b\x1c\x85\u2028\ufeff\\é😀'])) | st.text()
CELLS = st.none() | st.sampled_from(["", "null", " null", "NULL", '""']) | TEXTS


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def read(path: Path) -> list[Row]:
    batches = list(open_reader(path).batches(lambda _: None))
    return [row for batch in batches for row in batch.rows()]


def read_csv(folder: Path, content: bytes, name: str = "records.csv") -> list[Row]:
    return read(write(folder, name, content))


def refused(path: Path) -> str:
    with pytest.raises(FileError) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    return text.removeprefix(str(path))


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b'a,b\nnull,"null"\n,""\n', [(None, "null"), (None, "")]),
        (b'a,b\n null,"null" \nNULL,x\n', [(" null", "null "), ("NULL", "x")]),
        (b"a,b\n1,2", [("1", "2")]),
        (b"a,b\n1,", [("1", None)]),
        (b"a,b\r\n1,2\r\n", [("1", "2")]),
        (b"a,b\r1,2\r3,4\r", [("1", "2"), ("3", "4")]),
        (b'a,b\n"x\ny","x\r\ny"\n"x\ry",z\n', [("x\ny", "x\r\ny"), ("x\ry", "z")]),
        (b'a,b\n"say ""hi""","x,y"\n', [('say "hi"', "x,y")]),
        (b'a,b\nx"y"z,\'q\n', [('x"y"z', "'q")]),
        (b"\xef\xbb\xbfa,b\n1,2\n", [("1", "2")]),
        (b'\xef\xbb\xbf"a",b\n1,2\n', [("1", "2")]),
        (b"a,b\nx\0y,\0\n", [("x\0y", "\0")]),
        ("a,b\nx\u2028y,\x85z\n".encode(), [("x\u2028y", "\x85z")]),
        (b"\n\na,b\n\n1,2\n\n3,4\n\n", [("1", "2"), ("3", "4")]),
        (b'a\n1\n""\nnull\n\n', [("1",), ("",), (None,)]),
        (b'a,b\n" x ", y\t\n', [(" x ", " y\t")]),
        (b"a,b\n", []),
        (b"a,b", []),
        (b"a,b\nend,null\nend,", [("end", None), ("end", None)]),
    ],
)
def test_csv(content: bytes, rows: list[Row], tmp_path: Path) -> None:
    assert read_csv(tmp_path, content) == rows


def test_the_names_of_columns_may_be_quoted(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", b'"a\nb","c,d"\n1,2\n')
    (batch,) = open_reader(path).batches(lambda _: None)
    assert batch.to_dict(as_series=False) == {"a\nb": ["1"], "c,d": ["2"]}


@pytest.mark.parametrize(("name", "mark"), [("a.csv", ","), ("a.tsv", "\t"), ("A.SSV", " ")])
def test_the_ending_of_the_name_says_what_separates_cells(
    name: str, mark: str, tmp_path: Path
) -> None:
    content = "".join(line(cells, mark) for cells in (["a", "b"], ["x,y z\t", None]))
    assert read_csv(tmp_path, content.encode(), name) == [("x,y z\t", None)]


@EXAMPLES
@given(
    rows=st.lists(st.tuples(CELLS, CELLS), max_size=5),
    suffix=st.sampled_from([".csv", ".tsv", ".ssv"]),
    end=st.sampled_from(["\n", ""]),
)
def test_what_an_export_writes_is_read_as_it_was(
    rows: list[tuple[str | None, str | None]], suffix: str, end: str, tmp_path: Path
) -> None:
    mark = readers.DELIMITERS[suffix]
    content = "".join(line(cells, mark) for cells in (("a", "b"), *rows))
    assert read_csv(tmp_path, (content[:-1] + end).encode(), f"a{suffix}") == rows


@EXAMPLES
@given(rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5), data=st.data())
def test_the_line_of_a_record_is_where_it_begins(
    rows: list[tuple[str, str]], data: st.DataObject, tmp_path: Path
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(("a", "b"))
    lines = []
    for row in rows:
        text.write("\n" * data.draw(st.integers(0, 2)))
        # A line ends with LF, CR, or both.
        before = text.getvalue().replace("\r\n", "\n").replace("\r", "\n")
        lines.append(before.count("\n") + 1)
        writer.writerow(row)
    reader = open_reader(write(tmp_path, "a.csv", text.getvalue().encode()))
    assert [row for batch in reader.batches(lambda _: None) for row in batch.rows()] == rows
    asked = [n for n in range(len(rows)) if data.draw(st.booleans())]
    assert [reader.line_of(n) for n in asked] == [lines[n] for n in asked]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", ":1: there is no header line"),
        (b"\n\n", ":1: there is no header line"),
        (b"\xef\xbb\xbf", ":1: there is no header line"),
        (b"a,b,a\n1,2,3\n", ":1: column 'a' is there twice"),
        (b"\na,,b\n1,2,3\n", ":2: column 2 has no name"),
        (b"a,\xff\n1,2\n", ":1: not UTF-8"),
        (b"a,b\n1,2,3\n", ":2: 3 cells, where the header has 2"),
        (b"a,b\n1,2\n3\n", ":3: 1 cells, where the header has 2"),
        (b'a,b\n"x\ny\r\nz\rw",2\n\n1\n', ":7: 1 cells, where the header has 2"),
        (b'a,b\n"x\ny",2\n1,"\n\xff"\n', ":4: not UTF-8"),
        (b"a,b\n1,\xed\xa0\xbd\n", ":2: not UTF-8"),
        (b'a,b\n1,2\n3,"x\n4,5\n', ":3: a quote that is never closed"),
        (b'a,b\n1,2\n3,"', ":3: a quote that is never closed"),
        (b'a,b\n1,2\n"3,4\n', ":3: 1 cells, where the header has 2"),
        (b'a\n1\n"x', ":3: a quote that is never closed"),
        (b'a,"b\n1,2\n', ":1: a quote that is never closed"),
    ],
)
def test_broken_csv_is_told_by_its_line(content: bytes, problem: str, tmp_path: Path) -> None:
    assert refused(write(tmp_path, "a.csv", content)) == problem


def test_a_file_is_read_in_batches_and_broken_lines_are_found_in_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BATCH_BYTES", 256)
    content = b"a,b\n" + b"".join(b'%d,"x\n"\n' % n for n in range(500))
    path = write(tmp_path, "a.csv", content)
    shares: list[float] = []
    reader = open_reader(path)
    batches = list(reader.batches(shares.append))
    assert len(batches) > 10
    assert [int(value) for batch in batches for value in batch["a"]] == list(range(500))
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] == 1
    assert [reader.line_of(n) for n in (0, 1, 499)] == [2, 4, 1000]
    for broken in (b"1,2,3\n", b'1,"x', b"\xff,2\n"):
        assert refused(write(tmp_path, "b.csv", content + broken)).startswith(":1002: ")


def test_a_record_that_is_too_long_is_told_by_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BATCH_BYTES", 256)
    content = b"a,b\n1,2\n" + b"x" * 10_000 + b",1\n"
    assert refused(write(tmp_path, "a.csv", content)).startswith(":3: a record longer than 256")


def test_json_lines_keep_objects_as_they_are_written_and_numbers_exactly(tmp_path: Path) -> None:
    content = (
        b'{"a": 1.50, "b": {"x": [1,  2] , "y":"\\u00e9"}}\n{"a":1e400,"b":"\\u00e9\\u0000"}\n'
    )
    content += b'{"a":true,"b":null}\n{"a":123456789012345678901234567890,"b":"null"}\n'
    assert read(write(tmp_path, "a.jsonl", content)) == [
        ("1.5", '{"x": [1,  2] , "y":"\\u00e9"}'),
        ("1e400", "é\0"),
        ("true", None),
        ("123456789012345678901234567890", "null"),
    ]


def test_what_a_line_does_not_name_is_null(tmp_path: Path) -> None:
    content = b'{"a":"1"}\n{}\n{"b":""}\n'
    assert read(write(tmp_path, "a.ndjson", content)) == [("1", None), (None, None), (None, "")]


def test_records_without_anything_are_records(tmp_path: Path) -> None:
    (batch,) = open_reader(write(tmp_path, "a.jsonl", b"{}\n{}\n")).batches(lambda _: None)
    assert batch.shape == (2, 0)


def test_of_a_name_that_is_there_twice_the_last_counts(tmp_path: Path) -> None:
    assert read(write(tmp_path, "a.jsonl", b'{"a":1,"a":2}\n')) == [("2",)]


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n\t\n"])
def test_json_lines_may_hold_no_record(content: bytes, tmp_path: Path) -> None:
    assert read(write(tmp_path, "a.jsonl", content)) == []


@EXAMPLES
@given(records=st.lists(st.dictionaries(TEXTS, CELLS, min_size=1), min_size=1, max_size=5))
def test_any_text_goes_through_json_lines(
    records: list[dict[str, str | None]], tmp_path: Path
) -> None:
    for ascii_only in (True, False):
        text = "".join(json.dumps(record, ensure_ascii=ascii_only) + "\n" for record in records)
        path = write(tmp_path, "a.jsonl", text.encode())
        (batch,) = open_reader(path).batches(lambda _: None)
        assert batch.to_dicts() == [
            {name: record.get(name) for name in batch.columns} for record in records
        ]


def test_the_line_of_a_json_record_counts_blank_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_lines, "BATCH_RECORDS", 2)
    lines = [b"", b"{}", b"{}", b"  ", b"{}", b"{}", b"\r", b"", b"{}", b"{}"]
    reader = open_reader(write(tmp_path, "a.jsonl", b"\n".join(lines)))
    assert [batch.height for batch in reader.batches(lambda _: None)] == [2, 2, 2]
    assert [reader.line_of(n) for n in range(6)] == [2, 3, 5, 6, 9, 10]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"a":1}\n\n{"a":\n', "not a JSON object: "),
        (b'{"a":1}\n\n[1]\n', "not a JSON object: Expected `object`, got `array`"),
        (b'{"a":1}\n\n5\n', "not a JSON object: Expected `object`, got `int`"),
        (b'{"a":1}\n\nnull\n', "not a JSON object: Expected `object`, got `null`"),
        (b'{"a":1}\n\n{"a":1} {"a":2}\n', "not a JSON object: "),
        (b'{"a":1}\n\n{"a":NaN}\n', "not a JSON object: "),
        (b'{"a":1}\n\n{"a":01}\n', "not a JSON object: "),
        (b'{"a":1}\n\n{"a":"\xff"}\n', "not UTF-8"),
        (b'{"a":1}\n\n{"\xff":1}\n', "not UTF-8"),
        (b'{"a":1}\n\n{"a":{"b":"\xed\xa0\xbd"}}\n', "not UTF-8"),
        (b'{"a":1}\n\n{"a":"\\ud83d"}\n', "a text holds half a surrogate pair"),
        (b'{"a":1}\n\n{"a":"\\ud83dx"}\n', "a text holds half a surrogate pair"),
        (b'{"a":1}\n\n{"a":"\\ude00"}\n', "a text holds half a surrogate pair"),
        (b'{"a":1}\n\n{"a":{"b":["\\uDE00\\uD83D"]}}\n', "a text holds half a surrogate pair"),
        (b'{"a":1}\n\n{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", "nested too deeply"),
    ],
)
def test_broken_json_lines_are_told_by_their_line(
    content: bytes, problem: str, tmp_path: Path
) -> None:
    assert refused(write(tmp_path, "a.jsonl", content)).startswith(f":3: {problem}")


def test_whole_surrogate_pairs_are_text(tmp_path: Path) -> None:
    assert read(write(tmp_path, "a.jsonl", b'{"a":"\\ud83d\\ude00"}')) == [("😀",)]


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


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.csv.gz", ".csv"])
def test_a_name_must_say_what_the_file_is(name: str, tmp_path: Path) -> None:
    problem = refused(write(tmp_path, name, b"a\n1\n"))
    assert problem.startswith(": cannot tell what it is: its name ends in none of .csv, ")


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_file_must_be_there(name: str, tmp_path: Path) -> None:
    assert refused(tmp_path / name) == ": no such file"


@pytest.mark.parametrize(("misfits", "more"), [(1, 0), (2, 3)])
def test_an_error_tells_all_that_it_has(misfits: int, more: int) -> None:
    found = [readers.Problem(n, f"reason {n}") for n in range(misfits)]
    lines = str(FileError(Path("a.csv"), found, more)).splitlines()
    assert lines[0] == "a.csv: reason 0"
    assert lines[1:misfits] == [f"a.csv:{n}: reason {n}" for n in range(1, misfits)]
    assert lines[misfits:] == (["a.csv: and 3 more"] if more else [])
