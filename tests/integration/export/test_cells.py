"""Whatever a cell holds, it comes out as it went in, and every reader reads it so again."""

import csv
import io
import itertools
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.examples import examples
from tests.support.loads import load_activities, load_leads

from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.export.assemble import assemble
from outhaul.export.formats import CSV, SSV, TSV, Format
from outhaul.export.formats.delimited import Delimited
from outhaul.export.local import LocalExecutor
from outhaul.export.plan import make_plan
from outhaul.export.request import read_request
from outhaul.kinds import find_kind
from outhaul.kinds.filter import Context
from outhaul.lake.snapshot import Lake
from outhaul.limits import Limits
from outhaul.protocol.dialects import line
from outhaul.sample.sets import Of, load_set
from outhaul.sample.sets.nasty import (
    ATTRIBUTES,
    CUSTOM_TYPE,
    FIELDS,
    IDS,
    LONG,
    NASTY,
)
from outhaul.sample.sets.nasty import (
    TEXTS as ODD,
)
from outhaul.storage.folder import FolderStore

Cell = str | None
Record = Mapping[str, Cell]
Rows = Sequence[tuple[Cell, ...]]

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)
NUMBERS = itertools.count()

# Marks that separate, quote or end something somewhere, and words that stand for something.
MARKS = [*", \t;|\"'\\\r\n\0\x07\x0b\x0c\x1a\x1c\x1d\x1e\x7f\x85\xa0\u2028\u2029\ufeff#/😀é̈"]
WORDS = ["", "null", '"null"', "NULL", " null", "null ", "\\N", "NaN", "true", "007", "1.0", "-"]
TRICKY = [
    *MARKS,
    *WORDS,
    None,
    "\r\n",
    '""',
    '"',
    "a,b",
    ' "a" ',
    "a\r",
    "\na",
    "  a  ",
    "a\0b\0",
    "2026-01-31T00:00:00+0000",
]
TEXTS = st.text(st.sampled_from([*MARKS, "a"]) | st.characters(exclude_categories=["Cs"]))
CELLS: st.SearchStrategy[Cell] = st.sampled_from(TRICKY) | TEXTS
# One object, however it is spaced and however its texts are spelled.
OBJECTS: st.SearchStrategy[Cell] = st.none() | st.builds(
    lambda content, ascii_only, indent: json.dumps(content, ensure_ascii=ascii_only, indent=indent),
    st.dictionaries(TEXTS, CELLS, max_size=2),
    st.booleans(),
    st.sampled_from([None, 1, "\t"]),
)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('state') / 'outhaul.db'}")
    database.migrate()
    yield Catalog(database, "default")
    database.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cells")


def write_json_lines(path: Path, records: Sequence[Record]) -> Path:
    path = path.with_suffix(".jsonl")
    content = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    path.write_bytes(content.encode())
    return path


def write_delimited(path: Path, records: Sequence[Record]) -> Path:
    path = path.with_suffix(".csv")
    rows: list[list[Cell]] = [list(records[0])]
    rows += [list(record.values()) for record in records]
    path.write_bytes("".join(line(cells, ",") for cells in rows).encode())
    return path


def write_parquet(path: Path, records: Sequence[Record]) -> Path:
    path = path.with_suffix(".parquet")
    columns = {
        name: pa.array([record[name] for record in records], pa.string()) for name in records[0]
    }
    pa_parquet.write_table(pa.table(columns), path)
    return path


WRITERS = [write_json_lines, write_delimited, write_parquet]


def exported(kind: str, fields: list[str], mark: Format, catalog: Catalog, lake: Lake) -> bytes:
    """Return the file that a job for all records and these fields makes."""
    context = Context(catalog=catalog, limits=Limits(), moment=MOMENT)
    window = {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-31T23:59:59Z"}
    body = {"fields": fields, "format": mark.name, "filter": {"createdAt": window}}
    request = read_request(find_kind(kind, context), body, context)
    plan = make_plan(find_kind(kind, context), request, context, lake, 1_000)
    files = FolderStore(lake.folder / "files")
    executor = LocalExecutor(files, 1)
    try:
        manifest = assemble(
            plan,
            lake,
            prefix=f"{next(NUMBERS)}",
            files=files,
            executor=executor,
            stop=threading.Event(),
        )
    finally:
        executor.close()
    return b"".join(files.read(part.key, 0, part.size) for part in manifest.parts if part.size)


def read_with_python(path: Path, mark: str) -> Rows:
    csv.field_size_limit(LONG)
    with path.open(encoding="utf-8", newline="") as text:
        return [tuple(row) for row in csv.reader(text, delimiter=mark)][1:]


def read_with_polars(path: Path, mark: str) -> Rows:
    frame = pl.read_csv(path, separator=mark, infer_schema=False, empty_string_is_null=False)
    return frame.rows()


def read_with_duckdb(path: Path, mark: str) -> Rows:
    options = (
        f"delim='{mark}', quote='\"', escape='\"', header=true, nullstr='null', "
        "allow_quoted_nulls=false, all_varchar=true"
    )
    with duckdb.connect() as connection:
        return connection.sql(f"SELECT * FROM read_csv('{path}', {options})").fetchall()  # noqa: S608


def read_with_arrow(path: Path, mark: str) -> Rows:
    header = path.read_text("utf-8").partition("\n")[0].split(mark)
    table = pa_csv.read_csv(
        path,
        # A record must fit in a block.
        read_options=pa_csv.ReadOptions(block_size=16 * LONG),
        parse_options=pa_csv.ParseOptions(delimiter=mark, newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            null_values=["null"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            column_types=dict.fromkeys(header, pa.string()),
        ),
    )
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


TELL_NULL = [read_with_duckdb, read_with_arrow]
TELL_NO_NULL = [read_with_python, read_with_polars]


def as_text(rows: Rows) -> Rows:
    """Return rows as readers have them that cannot tell a quoted cell: NULL is its word."""
    return [tuple("null" if cell is None else cell for cell in row) for row in rows]


def check_exports(kind: str, fields: list[str], rows: Rows, catalog: Catalog, lake: Lake) -> None:
    for file_format in (CSV, TSV, SSV):
        mark = file_format.separator
        content = exported(kind, fields, file_format, catalog, lake)
        assert content == "".join(line(cells, mark) for cells in (fields, *rows)).encode()
        path = lake.folder / f"export{file_format.extension}"
        path.write_bytes(content)
        for read in TELL_NULL:
            assert read(path, mark) == rows, read.__name__
        for read in TELL_NO_NULL:
            assert read(path, mark) == as_text(rows), read.__name__


@examples(15)
@given(
    cells=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6),
    write=st.sampled_from(WRITERS),
)
@example(cells=list(zip(TRICKY, reversed(TRICKY), strict=True)), write=write_json_lines)
@example(cells=list(zip(TRICKY, reversed(TRICKY), strict=True)), write=write_delimited)
@example(cells=list(zip(TRICKY, reversed(TRICKY), strict=True)), write=write_parquet)
def test_cells_of_leads(
    cells: list[tuple[Cell, Cell]],
    write: Callable[[Path, Sequence[Record]], Path],
    catalog: Catalog,
    folder: Path,
) -> None:
    rows = [(str(n), *both) for n, both in enumerate(cells, 1)]
    fields = ["id", "firstName", "lastName"]
    path = write(
        folder / f"{next(NUMBERS)}",
        [
            {**dict(zip(fields, row, strict=True)), "createdAt": "2026-01-31T00:00:00Z"}
            for row in rows
        ],
    )
    lake = Lake(folder / f"{next(NUMBERS)}")
    load_leads(lake, catalog, path, MOMENT, lambda _: None)
    check_exports("leads", fields, rows, catalog, lake)


@examples(15)
@given(
    cells=st.lists(st.tuples(CELLS, OBJECTS), min_size=1, max_size=6),
    write=st.sampled_from(WRITERS),
)
@example(cells=[(cell, json.dumps({"a": cell})) for cell in TRICKY], write=write_json_lines)
@example(cells=[(None, "{}"), ("null", None)], write=write_delimited)
def test_cells_of_activities(
    cells: list[tuple[Cell, Cell]],
    write: Callable[[Path, Sequence[Record]], Path],
    catalog: Catalog,
    folder: Path,
) -> None:
    rows = [(f"{n:03}", *both) for n, both in enumerate(cells)]
    fields = ["marketoGUID", "primaryAttributeValue", "attributes"]
    others = {"leadId": "1", "activityTypeId": "1", "activityDate": "2026-01-31T00:00:00Z"}
    path = write(
        folder / f"{next(NUMBERS)}",
        [{**dict(zip(fields, row, strict=True)), **others} for row in rows],
    )
    lake = Lake(folder / f"{next(NUMBERS)}")
    load_activities(lake, catalog, path, MOMENT, lambda _: None)
    # An object stands in for attributes that are not there: null breaks two clients.
    written = [(guid, value, attributes or "{}") for guid, value, attributes in rows]
    check_exports("activities", fields, written, catalog, lake)


@examples(200)
@given(
    rows=st.lists(
        st.tuples(CELLS, CELLS, st.none() | st.integers(-(2**63), 2**63 - 1)), max_size=5
    ),
    mark=st.sampled_from([",", "\t", " ", ";"]),
    with_null=st.booleans(),
)
@example(rows=[(a, b, 1) for a, b in itertools.product(TRICKY, TRICKY)], mark=",", with_null=True)
@example(rows=[(a, b, 1) for a, b in itertools.product(TRICKY, TRICKY)], mark=" ", with_null=False)
def test_batches_are_written_in_the_very_dialect_of_the_protocol(
    rows: list[tuple[Cell, Cell, Any]], mark: str, with_null: bool
) -> None:
    # A batch that holds the text "null" takes another way than one that does not.
    rows = [row for row in rows if "null" not in row[:2]] + [("null", "", None)] * with_null
    frame = pl.DataFrame(rows, schema={"a": pl.String, "b": pl.String, "n": pl.Int64}, orient="row")
    target = io.BytesIO()
    Delimited("CSV", mark).batch(frame, [], target)
    texts = [(a, b, None if n is None else str(n)) for a, b, n in rows]
    assert target.getvalue() == "".join(line(cells, mark) for cells in texts).encode()


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Catalog, Lake]]:
    folder = tmp_path_factory.mktemp("nasty")
    database = Database(f"sqlite:///{folder / 'outhaul.db'}")
    database.migrate()
    catalog, lake = Catalog(database, "default"), Lake(folder / "lake")
    load_set("nasty", lake, catalog, MOMENT)
    yield catalog, lake
    database.close()


def test_leads_of_the_set_nasty(nasty: tuple[Catalog, Lake]) -> None:
    leads = list(NASTY.records(MOMENT, {})[Of.LEADS])
    assert {lead["firstName"] for lead in leads if "firstName" in lead} == {*ODD.values()}
    for fields in (["id", "firstName"], ["id", "lastName", *FIELDS]):
        rows = [
            tuple(None if lead.get(name) is None else str(lead[name]) for name in fields)
            for lead in leads
        ]
        check_exports("leads", fields, rows, *nasty)


def test_activities_of_the_set_nasty(nasty: tuple[Catalog, Lake]) -> None:
    fields = ["marketoGUID", "leadId", "activityTypeId", "primaryAttributeValue", "attributes"]
    rows = [
        (
            activity["marketoGUID"],
            str(activity["leadId"]),
            str(activity["activityTypeId"]),
            activity["primaryAttributeValue"],
            json.dumps(activity["attributes"], ensure_ascii=False, separators=(",", ":")),
        )
        for activity in NASTY.records(MOMENT, {})[Of.ACTIVITIES]
    ]
    assert {row[2] for row in rows} == {"1", str(CUSTOM_TYPE)}
    assert len({row[4] for row in rows}) == len(ATTRIBUTES)
    assert {row[1] for row in rows} >= {str(id_) for id_ in IDS}
    check_exports("activities", fields, rows, *nasty)
