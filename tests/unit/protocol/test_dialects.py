import csv
import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.paths import REAL_EXPORTS, needs_real_exports

from outhaul.protocol.dialects import cell, line

SEPARATORS = st.sampled_from([",", "\t", " ", ";"])
TEXTS = (
    st.text(st.characters(exclude_categories=["Cs"]))
    | st.text(st.sampled_from("\"\n\r\t,; nul\0\u2028\x85'\\"))
    | st.sampled_from(["", "null", "NULL", " null", '"null"'])
)
ROWS = st.lists(st.none() | TEXTS, min_size=1, max_size=6)


def read_line(text: str, separator: str) -> list[str | None]:
    """Read rows as the rules have it: null is what is bare, a quoted "null" is a text."""
    quoted, bare = r'"((?:[^"]|"")*)"', rf'([^{re.escape(separator)}"\r\n]*)'
    values: list[str | None] = []
    place = 0
    for found in re.finditer(rf"(?:{quoted}|{bare})({re.escape(separator)}|\n)", text):
        assert found.start() == place
        place = found.end()
        if found[1] is not None:
            values.append(found[1].replace('""', '"'))
        else:
            values.append(None if found[2] == "null" else found[2])
    assert place == len(text)
    return values


@given(ROWS, SEPARATORS)
@example([None], ",")
@example([""], " ")
def test_a_row_reads_back_as_it_was_with_null_and_the_text_null_apart(
    row: list[str | None], separator: str
) -> None:
    text = line(row, separator)
    assert text.endswith("\n")
    assert read_line(text, separator) == row


@given(st.lists(ROWS, min_size=1, max_size=5), SEPARATORS)
def test_python_reads_each_row(rows: list[list[str | None]], separator: str) -> None:
    text = "".join(line(row, separator) for row in rows)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    assert list(reader) == [["null" if value is None else value for value in row] for row in rows]


@given(TEXTS, SEPARATORS)
def test_a_cell_is_quoted_only_where_it_must_be(value: str, separator: str) -> None:
    must = value in ("", "null") or bool(set(value) & {separator, '"', "\n", "\r"})
    assert cell(value, separator).startswith('"') == must
    if not must:
        assert cell(value, separator) == value


def test_a_row_in_each_format() -> None:
    row = ["a b", None, "null", "", 'say "hi"', "x,y", "x\ty", "x;y"]
    assert line(row, ",") == 'a b,null,"null","","say ""hi""","x,y",x\ty,x;y\n'
    assert line(row, "\t") == 'a b\tnull\t"null"\t""\t"say ""hi"""\tx,y\t"x\ty"\tx;y\n'
    assert line(row, " ") == '"a b" null "null" "" "say ""hi""" x,y x\ty x;y\n'
    assert line(row, ";") == 'a b;null;"null";"";"say ""hi""";x,y;x\ty;"x;y"\n'


@needs_real_exports
@pytest.mark.parametrize(
    "name",
    [
        "lead_extract1.csv",
        "leads_extract2.csv",
        "activity_extract1.csv",
        "activity_extract2.csv",
        "program_members_extract.csv",
    ],
)
def test_files_of_a_live_instance_come_out_byte_for_byte(name: str) -> None:
    text = (REAL_EXPORTS / name).read_bytes().decode().removesuffix("\n") + "\n"
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows = [[None if value == "null" else value for value in row] for row in reader]
    assert len(rows) > 1
    assert "".join(line(row, ",") for row in rows) == text
