"""Files are cut into records just where a reader of CSV sees them end, however the bytes come."""

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.client.cutting import CutError, Records, cells, open_plain, separators_of, unquoted

texts = st.text(st.sampled_from('ab",;\t \n\r\x85é\u2028'), max_size=6)
rows = st.lists(st.lists(texts, min_size=2, max_size=4), min_size=1, max_size=8)


class Slow(io.BytesIO):
    """Gives one byte at a time, whatever is asked for."""

    def read(self, _size: int | None = -1, /) -> bytes:
        return super().read(1)


def written(table: list[list[str]], separator: str) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator, lineterminator="\n").writerows(table)
    return out.getvalue().encode()


@given(rows, st.sampled_from(",\t ;"), st.booleans(), st.sampled_from([io.BytesIO, Slow]))
def test_records_end_where_rows_end(
    table: list[list[str]], separator: str, ends: bool, stream: type[io.BytesIO]
) -> None:
    content = written(table, separator)
    separators = b" ;" if separator in " ;" else separator.encode()
    if separator in " ;":
        other = {" ": ";", ";": " "}[separator]
        table = [[text.replace(other, "") for text in row] for row in table]
        content = written(table, separator)
    records = Records(stream(content if ends else content[:-1]), separators)
    found = [record for block in records.blocks() for record in block]
    assert records.header == written(table[:1], separator)
    assert found == [written([row], separator)[:-1] for row in table[1:]]
    for record, row in zip(found, table[1:], strict=True):
        assert [unquoted(cell).decode() for cell in cells(record, separator.encode())] == row


@given(rows, st.sampled_from([io.BytesIO, Slow]))
def test_what_follows_the_header_stays_as_it_is(
    table: list[list[str]], stream: type[io.BytesIO]
) -> None:
    content = written(table, ",")
    records = Records(stream(content), b",")
    assert records.header + b"".join(records.remaining()) == content


@given(st.lists(st.text(st.sampled_from('a"\\\r\u2028{'), max_size=5)))
def test_each_line_of_json_lines_is_a_record(lines: list[str]) -> None:
    content = "".join(f"{line}\n" for line in lines).encode()
    records = Records(io.BytesIO(content), separators_of("JSONL"))
    assert records.header == b""
    assert [one.decode() for block in records.blocks() for one in block] == lines


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", []),
        (b"id\n", []),
        (b"id", []),
        (b"id\n\n", [b""]),
        (b'id,a\n1,5" pipe\n2,x"y"\n', [b'1,5" pipe', b'2,x"y"']),
        (b'id,a\n1,"a"b\n2,c\n', [b'1,"a"b', b"2,c"]),
        (b'id,a\r\n1,"a\nb"\r\n2,c\r\n', [b'1,"a\nb"\r', b"2,c\r"]),
    ],
)
def test_odd_rows_of_other_endpoints(content: bytes, found: list[bytes]) -> None:
    for stream in (io.BytesIO, Slow):
        records = Records(stream(content), b",")
        assert [record for block in records.blocks() for record in block] == found


@pytest.mark.parametrize("content", [b'id,a\n1,"b', b'"id\n', b'id\n1\n"2\n3\n'])
def test_a_file_that_ends_within_quotes_is_no_file_of_its_format(content: bytes) -> None:
    with pytest.raises(CutError, match="within a quoted cell"):
        list(Records(io.BytesIO(content), b",").blocks())


def test_a_long_record_is_cut_as_a_short_one() -> None:
    long = b'2,"' + b'x""\n' * 400_000 + b'"'
    records = Records(io.BytesIO(b"id,a\n1,b\n" + long + b"\n3,c\n"), b",")
    assert [one for block in records.blocks() for one in block] == [b"1,b", long, b"3,c"]


def test_gzip_of_several_members_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"id\n1\n") + gzip.compress(b"2\n"))
    with open_plain(path, "CSV.GZ") as stream:
        assert stream.read() == b"id\n1\n2\n"


def test_a_format_that_is_not_known_cannot_be_cut() -> None:
    with pytest.raises(CutError, match="PARQUET"):
        separators_of("PARQUET")
