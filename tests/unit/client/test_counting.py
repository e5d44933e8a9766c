"""Counting records: against a counter that looks at one byte after the other."""

import gzip
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples

from outhaul.client.counting import counter_of
from outhaul.protocol.dialects import line

TEXT = st.text(alphabet='"",\n\r\t; ax\x01', max_size=40).map(str.encode)
CELL = st.none() | st.text(alphabet='",\n\r\t; axé\x01', max_size=6)


def slow_rows(file: bytes, separator: str) -> int:
    """Count the rows after the header byte by byte, by the rules of RFC 4180."""
    rows, state = 0, "cell"
    for character in file.decode("latin-1"):
        if state == "quoted":
            state = "closed" if character == '"' else "quoted"
        elif character == '"' and state in ("cell", "closed"):
            state = "quoted"
        elif character == "\n":
            rows, state = rows + 1, "cell"
        else:
            state = "cell" if character == separator else "text"
    unfinished = state == "quoted" or (file != b"" and not file.endswith(b"\n"))
    return max(0, rows + unfinished - 1)


def pieces(file: bytes, cuts: list[int]) -> Iterator[bytes]:
    ends = sorted(cut % (len(file) + 1) for cut in cuts)
    for start, end in zip([0, *ends], [*ends, len(file)], strict=True):
        yield file[start:end]


def count(file: bytes, file_format: str, cuts: list[int]) -> int:
    counter = counter_of(file_format)
    assert counter is not None
    for piece in pieces(file, cuts):
        counter.update(piece)
    return counter.records()


CUTS = st.lists(st.integers(0, 1000), max_size=8)
DIALECTS = st.sampled_from([("CSV", ","), ("TSV", "\t")])


@given(file=TEXT, dialect=DIALECTS, cuts=CUTS)
@examples(400)
def test_any_bytes_in_any_pieces_count_as_byte_by_byte(
    file: bytes, dialect: tuple[str, str], cuts: list[int]
) -> None:
    file_format, separator = dialect
    assert count(file, file_format, cuts) == slow_rows(file, separator)


@given(
    rows=st.lists(st.lists(CELL, min_size=2, max_size=3), max_size=6),
    dialect=st.sampled_from([("CSV", ","), ("TSV", "\t"), ("SSV", " "), ("SSV", ";")]),
    packed=st.booleans(),
    cuts=CUTS,
)
@examples(200)
def test_rows_as_they_are_written_count(
    rows: list[list[str | None]], dialect: tuple[str, str], packed: bool, cuts: list[int]
) -> None:
    file_format, separator = dialect
    header: list[str | None] = ["id", "name"]
    written = [line(cells, separator).encode() for cells in [header, *rows]]
    if packed:
        file = b"".join(map(gzip.compress, written))
        assert count(file, f"{file_format}.GZ", cuts) == len(rows)
    else:
        assert count(b"".join(written), file_format, cuts) == len(rows)


@pytest.mark.parametrize(
    ("file", "rows"),
    [
        (b"", 0),
        (b"id", 0),
        (b"id\n", 0),
        (b"id\n1", 1),
        (b"id\n1\n\n", 2),
        (b'id,size\n1,5" pipe\n2,"3"" pipe"\n', 2),
        (b'id,note\n1,"a,"\n2,"\n"\n', 2),
        (b'id,note\n1,"a\nb\n', 1),
        (b'id,note\n1,""x"\n2,"y""\n"\n', 2),
        (b'"i\nd",note\n1,2\n', 1),
        (b'id\n"a,"x"\n2\n', 2),
        (b'id\n1\x01"\n2\n', 2),
    ],
)
def test_rows_of_csv(file: bytes, rows: int) -> None:
    assert slow_rows(file, ",") == rows
    for cut in range(len(file) + 1):
        assert count(file, "CSV", [cut]) == rows
    assert count(file, "CSV", list(range(len(file)))) == rows


@pytest.mark.parametrize(("file", "lines"), [(b"", 0), (b"{}", 1), (b"{}\n", 1), (b"{}\n{}", 2)])
def test_lines_of_json(file: bytes, lines: int) -> None:
    assert count(file, "JSONL", []) == lines
    assert count(file, "JSONL", list(range(len(file)))) == lines


def test_other_formats_are_not_counted() -> None:
    assert counter_of("PARQUET") is None
    assert counter_of("CSV.ZST") is None


def test_gzip_that_unpacks_to_much_is_counted_in_pieces() -> None:
    file = gzip.compress(b"id\n" + b"\n" * 50_000_000)
    assert count(file, "CSV.GZ", []) == 50_000_000


def test_gzip_that_ends_too_soon_or_is_none() -> None:
    whole = gzip.compress(b"id\n1\n")
    with pytest.raises(ValueError, match="end too soon"):
        count(whole[:-1], "CSV.GZ", [])
    for wrong in (b"id\n1\n", whole + b"id"):
        with pytest.raises(ValueError, match="is not gzip"):
            count(wrong, "CSV.GZ", [])
