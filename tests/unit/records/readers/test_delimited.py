import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.reading_files import CELLS, EXAMPLES, TEXTS, Row, read, refused, write

from outhaul.protocol.dialects import line
from outhaul.records.readers import DELIMITERS, FileError, delimited, open_reader


def read_csv(folder: Path, content: bytes, name: str = "records.csv") -> list[Row]:
    return read(write(folder, name, content))


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b'a,b\nnull,"null"\n,""\n', [(None, "null"), (None, "")]),
        (b"a,b\n null,null \nNULL,x\n", [(" null", "null "), ("NULL", "x")]),
        (b"a,b\n1,2", [("1", "2")]),
        (b"a,b\n1,", [("1", None)]),
        (b"a,b\r\n1,2\r\n", [("1", "2")]),
        (b"a,b\r1,2\r3,4\r", [("1", "2"), ("3", "4")]),
        (b'a,b\n"x\ny","x\r\ny"\n"x\ry",z\n', [("x\ny", "x\r\ny"), ("x\ry", "z")]),
        (b'a,b\n"say ""hi""","x,y"\n', [('say "hi"', "x,y")]),
        (b"a,b\nx,'q\n", [("x", "'q")]),
        (b"\xef\xbb\xbfa,b\n1,2\n", [("1", "2")]),
        (b'\xef\xbb\xbf"a",b\n1,2\n', [("1", "2")]),
        (b"a,b\nx\0y,\0\n", [("x\0y", "\0")]),
        ("a,b\nx\u2028y,\x85z\n".encode(), [("x\u2028y", "\x85z")]),
        (b"\n\na,b\n\n1,2\n\n3,4\n\n", [("1", "2"), ("3", "4")]),
        (b'a\n1\n""\nnull\n\n', [("1",), ("",), (None,)]),
        (b'a,b\n" x ", y\t\n', [(" x ", " y\t")]),
        (b"a,b\n\xef\xbb\xbfx,y\n", [("\ufeffx", "y")]),
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
    mark = DELIMITERS[suffix]
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
    # There is one batch only.
    asked = [n for n in range(len(rows)) if data.draw(st.booleans())]
    assert [reader.line_of(n) for n in asked] == [lines[n] for n in asked]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", ":1: there is no header line: the file is empty"),
        (b"\n\n", ":1: there is no header line"),
        (b"\xef\xbb\xbf", ":1: there is no header line"),
        (b"a, b\n1,2\n", ":1: column 2: ' b' begins or ends with a blank"),
        (b'a,"b\t"\n1,2\n', ":1: column 2: 'b\\t' begins or ends with a blank"),
        ("a,\xa0b\n1,2\n".encode(), ":1: column 2: '\\xa0b' begins or ends with a blank"),
        (b"a, \n1,2\n", ":1: column 2 has no name"),
        (b"a,b,a\n1,2,3\n", ":1: column 'a' is there twice"),
        (b"\na,,b\n1,2,3\n", ":2: column 2 has no name"),
        (b"a,\xff\n1,2\n", ":1: not UTF-8; convert the file first"),
        (b"a,b\n1,2,3\n", ":2: 3 cells, where the header has 2"),
        (b"a,b\n1,2\n3\n", ":3: 1 cells, where the header has 2"),
        (b'a,b\n"x\ny\r\nz\rw",2\n\n1\n', ":7: 1 cells, where the header has 2"),
        (b'a,b\n"x\ny",2\n1,"\n\xff"\n', ":4: not UTF-8; convert the file first"),
        (b"a,b\n1,\xed\xa0\xbd\n", ":2: not UTF-8; convert the file first"),
        (b'a,b\n1,2\n3,"x\n4,5\n', ":3: a quote that is never closed, in cell 2"),
        (b'a,b\n1,2\n3,"', ":3: a quote that is never closed, in cell 2"),
        (b'a,b\n1,2\n"3,4\n', ":3: a quote that is never closed, in cell 1"),
        (b'a\n1\n"x', ":3: a quote that is never closed, in cell 1"),
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
    numbers: list[int] = []
    for batch in reader.batches(shares.append):
        numbers += [int(value) for value in batch["a"]]
        first, last = numbers[-batch.height], numbers[-1]
        assert [reader.line_of(first), reader.line_of(last)] == [2 + 2 * first, 2 + 2 * last]
    assert len(shares) > 10
    assert numbers == list(range(500))
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] == 1
    for broken in (b"1,2,3\n", b'1,"x', b"\xff,2\n", b'"1"2,3\n'):
        assert refused(write(tmp_path, "b.csv", content + broken)).startswith(":1002: ")


def test_records_before_a_flaw_are_read(tmp_path: Path) -> None:
    reader = open_reader(write(tmp_path, "a.csv", b'a,b\n1,2\n3,"4"5\n'))
    batches = reader.batches(lambda _: None)
    assert next(batches).rows() == [("1", "2")]
    with pytest.raises(FileError):
        next(batches)


@pytest.mark.parametrize(
    "cell", ["x" * 10_000, '"' + "x\n" * 5_000 + '"', '"' + '""' * 5_000 + '"']
)
def test_a_record_may_be_longer_than_what_is_read_at_a_time(
    cell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BATCH_BYTES", 256)
    path = write(tmp_path, "a.csv", f"a,b\n1,{cell}\n2,{cell}\n3,z\n".encode())
    text = next(csv.reader(io.StringIO(cell, newline="")))[0]
    assert read(path) == [("1", text), ("2", text), ("3", "z")]


@pytest.mark.parametrize("cell", [b"x" * 10_000, b'"' + b"x" * 10_000])
def test_a_record_that_is_too_long_is_refused_before_all_of_it_is_read(
    cell: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BATCH_BYTES", 256)
    monkeypatch.setattr(delimited, "RECORD_BYTES", 2_000)
    problem = refused(write(tmp_path, "a.csv", b"a,b\n1,2\n" + cell))
    assert problem == ":3: a record longer than 256 MiB, or a quote that is never closed"


def test_a_record_may_have_just_as_many_bytes_as_are_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BATCH_BYTES", 256)
    monkeypatch.setattr(delimited, "RECORD_BYTES", 1_024)
    for size, is_valid in ((1_000, True), (1_100, False), (1_900, False)):
        path = write(tmp_path, "a.csv", b"a,b\n1," + b"x" * size + b"\n" + b"2,y\n" * 500)
        if is_valid:
            assert len(read(path)) == 501
        else:
            assert refused(path).startswith(":2: a record longer than")


def test_the_first_quote_of_a_long_cell_that_is_wrong_ends_the_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BATCH_BYTES", 256)
    monkeypatch.setattr(delimited, "RECORD_BYTES", 2_000)
    problem = refused(write(tmp_path, "a.csv", b'a,b\n1,"' + b"x" * 500 + b'"x' + b"y" * 10_000))
    assert problem == ":2: text after a closing quote, in cell 2"


@pytest.mark.parametrize(
    ("name", "content", "advice"),
    [
        (
            "a.csv",
            b"id;email\n1;x\n",
            "'id;email': is it separated by semicolons? Its name must then end in .ssv.",
        ),
        (
            "a.csv",
            b'"id";"email"\n',
            '\'"id";"email"\': is it separated by semicolons? Its name must then end in .ssv.',
        ),
        (
            "a.csv",
            b"id\temail\r\n1\tx\r\n",
            "'id\\temail': is it separated by tabs? Its name must then end in .tsv.",
        ),
        ("a.csv", b"id|email\n", "'id|email': is it separated by vertical bars?"),
        (
            "a.csv",
            b"id email\n",
            "'id email': is it separated by spaces? Its name must then end in .ssv.",
        ),
        (
            "a.tsv",
            b"id,email\n",
            "'id,email': is it separated by commas? Its name must then end in .csv.",
        ),
        (
            "a.tsv",
            b"id;email\n",
            "'id;email': is it separated by semicolons? Its name must then end in .ssv.",
        ),
        (
            "a.ssv",
            b"id,email\n",
            "'id,email': is it separated by commas? Its name must then end in .csv.",
        ),
    ],
)
def test_a_header_that_is_one_cell_may_have_another_separator(
    name: str, content: bytes, advice: str, tmp_path: Path
) -> None:
    assert refused(write(tmp_path, name, content)) == f":1: the header is {advice}"


@pytest.mark.parametrize("content", [b'{"id":1}\n', b'[{"id":1}]', b'\n  {"id":1}'])
def test_json_that_is_named_as_csv_is_told(content: bytes, tmp_path: Path) -> None:
    assert "is it JSON?" in refused(write(tmp_path, "a.csv", content))


def test_an_ssv_file_may_have_semicolons(tmp_path: Path) -> None:
    path = write(tmp_path, "a.ssv", b'a;b\nx y;"z;"\nnull;""\n')
    assert read(path) == [("x y", "z;"), (None, "")]


def test_utf_16_without_a_mark_is_told(tmp_path: Path) -> None:
    assert "UTF-16" in refused(write(tmp_path, "a.csv", "a,b\n1,2\n".encode("utf-16-le")))
