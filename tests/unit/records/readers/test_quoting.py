"""Quotes are read by a fast engine. A slow parser, which is easy to check, must agree with it."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.support.examples import examples

from outhaul.records.readers import FileError, delimited, open_reader
from outhaul.records.readers.quoting import Flaw, Quoting, Row, read_row

DELIMITERS = {".csv": ",", ".tsv": "\t", ".ssv": " "}
HEADER = "a{mark}b"

Cell = str | None


class BrokenError(Exception):
    """The text is not strict."""


def slow_rows(text: str, mark: str, line_ends: Sequence[str]) -> list[tuple[Cell, ...]]:
    """Return the rows that are not empty lines, read character by character."""
    rows: list[tuple[Cell, ...]] = []
    position = 0
    while position < len(text):
        cells: list[Cell] = []
        begin = position
        while True:
            cell, position = slow_cell(text, position, mark)
            cells.append(cell)
            if text.startswith(mark, position):
                position += 1
                continue
            end = next((end for end in line_ends if text.startswith(end, position)), None)
            if end is None and position < len(text):
                raise BrokenError(position)
            is_empty = position == begin
            position += len(end or "")
            break
        if not is_empty:
            rows.append(tuple(cells))
    return rows


def slow_cell(text: str, position: int, mark: str) -> tuple[Cell, int]:
    if not text.startswith('"', position):
        end = position
        while end < len(text) and text[end] not in ('"', mark, "\r", "\n"):
            end += 1
        bare = text[position:end]
        return None if bare in ("", "null") else bare, end
    cell = ""
    position += 1
    while True:
        if position >= len(text):
            raise BrokenError(position)
        if text.startswith('""', position):
            cell += '"'
            position += 2
        elif text[position] == '"':
            return cell, position + 1
        else:
            cell += text[position]
            position += 1


# Pieces that make lines that are right, and much that is wrong.
PIECES = st.sampled_from(
    [
        "a",
        "b",
        "null",
        '"',
        '""',
        '"a"',
        '"a""b"',
        ",",
        "\t",
        " ",
        ";",
        "\n",
        "\r\n",
        "\r",
        "é",
        "\0",
    ]
)
TEXTS = st.lists(PIECES, max_size=30).map("".join)
ROWS = st.lists(
    st.sampled_from(["1,2", '"x\ny",', ',""', 'null,"null"', '"a""",b', "", '"\r",é', "1", "1,2,3"])
    | TEXTS,
    max_size=12,
)


@examples(400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=TEXTS | ROWS.map("\n".join) | ROWS.map("\r\n".join) | ROWS.map("\r".join),
    form=st.sampled_from(list(DELIMITERS)),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    block=st.integers(1, 12),
)
def test_a_file_is_read_as_by_the_slow_parser_whatever_the_blocks_are(
    text: str, form: str, end: str, block: int, tmp_path: Path
) -> None:
    mark = DELIMITERS[form]
    path = tmp_path / f"a{form}"
    content = HEADER.format(mark=mark) + end + text.replace(",", mark)
    path.write_bytes(content.encode())
    # CR and LF together end the header, so that lines end in LF.
    ends = ["\r"] if end == "\r" and not text.startswith("\n") else ["\r\n", "\n"]
    try:
        expected = slow_rows(
            text.replace(",", mark) + ("\n" if ends != ["\r"] else "\r"), mark, ends
        )
        is_valid = all(len(row) == 2 for row in expected)
    except BrokenError:
        is_valid = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "BATCH_BYTES", block)
        reader = open_reader(path)
        if is_valid:
            batches = list(reader.batches(lambda _: None))
            assert [row for batch in batches for row in batch.rows()] == expected
        else:
            with pytest.raises(FileError):
                list(reader.batches(lambda _: None))


@examples(200)
@given(
    text=TEXTS.map(str.encode), mark=st.sampled_from([",", "\t", " ", ";"]), returns=st.booleans()
)
def test_a_text_is_strict_or_has_a_flaw(text: bytes, mark: str, returns: bool) -> None:
    quoting = Quoting(mark, returns=returns)
    text += quoting.last
    flaw = quoting.flaw(text, is_end=True)
    assert quoting.is_strict(text) == (flaw is None)
    if flaw is not None:
        assert quoting.is_strict(text[: flaw.start])


@examples(200)
@given(text=TEXTS.map(str.encode), more=TEXTS.map(str.encode), returns=st.booleans())
def test_a_flaw_stays_one_whatever_follows(text: bytes, more: bytes, returns: bool) -> None:
    quoting = Quoting(",", returns=returns)
    early = quoting.flaw(text, is_end=False)
    if early is not None:
        assert quoting.flaw(text + more + quoting.last, is_end=True) == early


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b'1,"first"Name1,"x"', "text after a closing quote, in cell 2"),
        (b'1,"first"Name1","x"', "text after a closing quote, in cell 2"),
        (b'"a" ,b', "text after a closing quote, in cell 1"),
        (b'""x', "text after a closing quote, in cell 1"),
        (b'"a"";b"c', "text after a closing quote, in cell 1"),
        (b'1,a"b', "a quote in cell 2, which does not begin with a quote"),
        (b'1, "a, b"', "a quote in cell 2, which does not begin with a quote"),
        (b'1,2,a""', "a quote in cell 3, which does not begin with a quote"),
        (b"1,a\rb", "a carriage return outside quotes in cell 2"),
        (b'1,"a', "a quote that is never closed, in cell 2"),
        (b'1,"a""', "a quote that is never closed, in cell 2"),
    ],
)
def test_a_flaw_says_what_is_wrong_and_where_its_record_begins(record: bytes, reason: str) -> None:
    before = b'x,"\n""\n"\n'
    assert Quoting(",").flaw(before + record + b"\n", is_end=True) == Flaw(len(before), reason)


def test_lines_that_end_in_cr_have_lf_in_quotes_only() -> None:
    quoting = Quoting(",", returns=True)
    assert quoting.is_strict(b'1,"a\nb"\r2,3\r')
    flaw = quoting.flaw(b"1,2\r1,a\nb\r", is_end=True)
    assert flaw == Flaw(4, "a line feed outside quotes in cell 2")


@pytest.mark.parametrize(
    ("content", "row"),
    [
        (b"a,b\nc", Row(4, [b"a", b"b"], b"\n")),
        (b'a,"b\n"""\r\nc', Row(10, [b"a", b'b\n"'], b"\r\n")),
        (b"a\rb", Row(2, [b"a"], b"\r")),
        (b"a,b", None),
        (b"a,b\r", None),
        (b'a,"b', None),
        (b'a,"b"', None),
        (b'a,"b"c', Flaw(0, "text after a closing quote, in cell 2")),
        (b'a,b"', Flaw(0, "a quote in cell 2, which does not begin with a quote")),
    ],
)
def test_the_first_row(content: bytes, row: Row | Flaw | None) -> None:
    assert read_row(content, ",", is_end=False) == row


@pytest.mark.parametrize("lines", [5, 5_000])
def test_the_last_complete_record_is_found_before_a_long_cell(lines: int) -> None:
    records, beginning = b'1,"a\n"\n' * 3, b'2,"' + b'""\n' * lines
    quoting = Quoting(",")
    assert quoting.cut(records + beginning) == len(records)
    assert quoting.cut(beginning) == 0
    assert quoting.cut(records + beginning + b'"\n') == len(records + beginning) + 2
