"""The records of an export file as typed batches, to the byte."""

import gzip
import io
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples

from outhaul.client import FileError, MisfitError, batches, typed
from outhaul.export.formats import FORMATS
from outhaul.records.columns import INSTANT

TYPES = {
    "n": "integer",
    "score": "score",
    "f": "float",
    "b": "boolean",
    "d": "date",
    "at": "datetime",
    "t": "string",
    "mail": "email",
}
MOMENT = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)


def column(cells: str, of: str, **more: Any) -> list[Any]:
    """Return the values of a column that follow its header, as cells of CSV."""
    content = f"x,y\n{cells}".encode()
    table = pa.Table.from_batches(batches(io.BytesIO(content), {"x": of}, **more))
    found: list[Any] = table["x"].to_pylist()
    return found


@pytest.mark.parametrize(
    ("cell", "of", "value"),
    [
        ("null", "string", None),
        ('"null"', "string", "null"),
        ("", "string", None),
        ('""', "string", ""),
        ("NULL", "string", "NULL"),
        ('"a\nb\r\nc"', "string", "a\nb\r\nc"),
        ("a\0b", "string", "a\0b"),
        ('"say ""hi"""', "string", 'say "hi"'),
        ("00420", "phone", "00420"),
        ("123456789012345678901234567890", "string", "123456789012345678901234567890"),
        ("9223372036854775807", "integer", 2**63 - 1),
        ("-9223372036854775808", "score", -(2**63)),
        ("9007199254740993", "integer", 2**53 + 1),
        ("0.1", "currency", 0.1),
        ("true", "boolean", True),
        ("false", "boolean", False),
        ("1", "boolean", True),
        ("0", "boolean", False),
        ("2026-01-31", "date", date(2026, 1, 31)),
        ("2026-01-31T23:59:59Z", "datetime", MOMENT),
        ("2026-01-31T18:59:59-0500", "datetime", MOMENT),
        ("0001-01-01T00:00:00Z", "datetime", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_cell_has_the_described_type(cell: str, of: str, value: Any) -> None:
    # A cell more, because a line without any text is no record.
    assert column(f"{cell},y\n", of) == [value]


def test_the_types_of_arrow() -> None:
    content = io.BytesIO((",".join([*TYPES, "other"]) + "\n").encode())
    (empty,) = batches(content, TYPES)
    assert empty.num_rows == 0
    assert [str(field.type) for field in empty.schema] == [
        "int64",
        "int64",
        "double",
        "bool",
        "date32[day]",
        "timestamp[us, tz=UTC]",
        "string",
        "string",
        "string",
    ]


@pytest.mark.parametrize(
    ("cell", "of", "reason"),
    [
        ("9223372036854775808", "integer", "is not an integer of 64 bits"),
        ("soon", "datetime", "is not a datetime such as"),
        ("yes", "boolean", "is not true or false"),
        ('""', "integer", "'' is not an integer"),
    ],
)
def test_a_value_of_another_type_is_refused_by_line_and_field(
    cell: str, of: str, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "leads.csv"
    path.write_text(f'x,y\nnull,"two\nlines"\n{cell},1\n')
    with pytest.raises(MisfitError, match=rf"^{path}:4: x: .*{reason}"):
        list(batches(path, {"x": of}))


def test_lines_are_those_of_the_file_in_later_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typed, "_BATCH_BYTES", 64)
    rows = "".join(f"{n},{n}\n" for n in range(100))
    with pytest.raises(MisfitError, match=r"^stream:102: x: 'last' is not an integer$"):
        list(batches(io.BytesIO(f"x,y\n{rows}last,0\n".encode()), {"x": "integer"}))


def test_a_column_with_such_a_value_can_become_text() -> None:
    noted: list[str] = []
    cells = "7,1\nsoon,2\n2026-01-31T23:59:59Z,3\n"
    assert column(cells, "integer", misfits="text", notice=noted.append) == [
        "7",
        "soon",
        "2026-01-31T23:59:59Z",
    ]
    assert noted == ["x becomes text: line 3: x: 'soon' is not an integer"]


def test_all_batches_have_the_types_that_fit_the_whole_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(typed, "_BATCH_BYTES", 64)
    rows = "".join(f"{n},{n}\n" for n in range(100)) + "last,0\n"
    found = list(
        batches(io.BytesIO(f"x,y\n{rows}".encode()), TYPES | {"x": "integer"}, misfits="text")
    )
    assert len(found) > 5
    assert {str(batch.schema.field("x").type) for batch in found} == {"string"}
    assert [value for batch in found for value in batch["x"].to_pylist()][-2:] == ["99", "last"]


def test_lines_of_json_and_compressed_files() -> None:
    lines = b'{"n":1,"t":"null","b":true}\n{"n":null,"b":false}\n'
    (found,) = batches(io.BytesIO(gzip.compress(lines)), TYPES, file_format="JSONL.GZ")
    assert found.to_pylist() == [
        {"n": 1, "t": "null", "b": True},
        {"n": None, "t": None, "b": False},
    ]


@pytest.mark.parametrize("content", [b"", b"n,t\n1\n", b'n,t\n"1,2\n'])
def test_files_without_records_and_damaged_files(content: bytes) -> None:
    if not content:
        assert list(batches(io.BytesIO(content), TYPES)) == []
        return
    with pytest.raises(FileError, match=r"^stream:2: "):
        list(batches(io.BytesIO(content), TYPES))


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "n": st.none() | st.integers(-(2**63), 2**63 - 1),
                "f": st.none() | st.floats(allow_nan=False, allow_infinity=False),
                "b": st.none() | st.booleans(),
                "d": st.none() | st.dates(),
                "at": st.none()
                | st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=0)),
                "t": st.none() | st.text(st.characters(codec="utf-8")),
                "last": st.just("."),
            }
        ),
        min_size=1,
    ),
    st.sampled_from(sorted(FORMATS)),
    st.booleans(),
)
@examples(80)
def test_what_outhaul_exports_arrives_as_it_was(
    records: list[dict[str, Any]], name: str, digits: bool
) -> None:
    frame = pl.DataFrame(
        records,
        schema={
            "n": pl.Int64,
            "f": pl.Float64,
            "b": pl.Boolean,
            "d": pl.Date,
            "at": INSTANT,
            "t": pl.String,
            "last": pl.String,
        },
    )
    of = FORMATS[name]
    cells = [
        of.cell(pl.col(column), frame.schema[column], digits=digits).alias(column)
        for column in frame.columns
    ]
    written = io.BytesIO()
    with of.part(written) as content:
        content.write(of.header(frame.columns))
        of.batch(frame.select(cells), frame.columns, content)
        content.write(of.footer())
    written.seek(0)
    found = pa.Table.from_batches(batches(written, TYPES, file_format=name))
    assert found.to_pylist() == records
