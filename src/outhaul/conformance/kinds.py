"""The suite that every kind passes, built in or not.

A test module derives a class from `KindSuite`, and pytest collects it:

    class TestOpportunities(KindSuite):
        kind = OPPORTUNITIES
        records = [{"externalOpportunityId": "1", "leadId": 7}, …]
        examples = [{"createdAt": {"startAt": "2026-01-01", "endAt": "2026-01-31"}}]
"""

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from outhaul.catalog.entries import parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.conformance.values import ODD, json_of
from outhaul.database.engine import Database
from outhaul.errors import ApiError
from outhaul.export.formats import FORMATS
from outhaul.export.plan import make_plan
from outhaul.export.render import render_part
from outhaul.export.request import read_request
from outhaul.kinds.filter import Context
from outhaul.kinds.registry import AnyKind, all_tables
from outhaul.lake.clauses import parse_clause
from outhaul.lake.deletions import delete_leads
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import Table
from outhaul.limits import Limits
from outhaul.loading.loads import Loaded, load_file
from outhaul.loading.merge import Merged
from outhaul.protocol.shapes import Shape

_NAME = re.compile(r"[a-z]+(-[a-z]+)*")
_FIXED = {"--url", "--client-id", "--client-secret", "--output", "--fields", "--format", "--header"}


class Call:
    """A describe call without parameters in the query."""

    def __init__(self, catalog: Catalog, path: str | None) -> None:
        self.catalog = catalog
        self._path = path or ""

    def columns(self, _: Table, /) -> Mapping[str, pl.DataType]:
        return {}

    def offset(self) -> int:
        return 0

    def names(self, _: str, /) -> list[str]:
        return []

    def path_text(self, _: str, /) -> str:
        return self._path


class Bench:
    """A catalog, and lakes to load into, in a folder."""

    def __init__(self, suite: "KindSuite", folder: Path, database: Database) -> None:
        self._folder = folder
        self.catalog = Catalog(database, "default")
        self.catalog.store(parse_catalog(suite.catalog))
        self.context = Context(catalog=self.catalog, limits=Limits(), moment=suite.moment)
        self.kind = suite.kind.kind_of(self.catalog, suite.type_name)
        self.moment = suite.moment
        """The time of the next load."""

    def lake(self, name: str) -> Lake:
        return Lake(self._folder / name / "lake")

    def load(self, lake: Lake, content: bytes, ending: str) -> Loaded:
        path = self._folder / f"records.{ending}"
        path.write_bytes(content)
        return load_file(self.kind.loading, lake, self.catalog, path, self.moment, lambda _: None)

    def load_records(self, lake: Lake, records: Sequence[Mapping[str, Any]]) -> Loaded:
        lines = "".join(json.dumps(record) + "\n" for record in records)
        return self.load(lake, lines.encode(), "jsonl")

    def export(self, lake: Lake, body: Mapping[str, Any], part_records: int = 1_000) -> bytes:
        request = read_request(self.kind, body, self.context)
        plan = make_plan(self.kind, request, self.context, lake, part_records)
        target = io.BytesIO()
        for number in range(plan.part_count):
            render_part(plan.task(number, ""), lake, target, lambda: None)
        return target.getvalue()


class KindSuite:
    """The tests of a kind. A subclass gives the kind, and some records."""

    kind: ClassVar[AnyKind]
    type_name: ClassVar[str | None] = None
    """The type of the records, for a family of kinds."""
    catalog: ClassVar[Mapping[str, Any]] = {}
    """The content of a catalog, in the form of a file of `outhaul load catalog`."""
    records: ClassVar[Sequence[Mapping[str, Any]]]
    """At least two records, in the order of an export.

    One of them must be of lead 7 if the records depend on leads, and none or one otherwise.
    """
    examples: ClassVar[Sequence[Mapping[str, Any]]]
    """Filters of requests, which use every filter of the kind. The first matches all records."""
    moment: ClassVar[datetime] = datetime(2026, 1, 31, 12, tzinfo=UTC)
    """The time of loading, and of requests."""

    @contextmanager
    def bench(self, folder: Path) -> Iterator[Bench]:
        """Yield a bench in a folder."""
        database = Database(f"sqlite:///{folder / 'outhaul.db'}")
        try:
            database.migrate()
            yield Bench(self, folder, database)
        finally:
            database.close()

    def test_names_and_helps_are_those_of_commands(self) -> None:
        kind = self.kind
        assert _NAME.fullmatch(kind.name), "the name is small letters, joined by hyphens"
        assert kind.plural
        assert kind.permissions
        assert not kind.path.startswith("/")
        assert not kind.path.endswith("/")
        assert f"`outhaul load {kind.name} " in kind.load_help, "the help has an example"
        assert f"`outhaul extract {kind.name} " in kind.extract_help, "the help has an example"

    def test_the_table_fits_its_declaration(self, tmp_path: Path) -> None:
        with self.bench(tmp_path) as bench:
            table = bench.kind.table
            names = {*table.columns, table.partition}
            assert {*table.key} <= names
            assert {*table.order} <= {*table.columns}
            assert {*table.statistics} <= {*table.columns}
            for column in {table.lead, table.depends_on} - {None}:
                assert column in table.statistics, f"{column} has no statistics"
            of = {column.name: column.type for column in bench.kind.loading.columns(bench.catalog)}
            (found,) = pl.DataFrame(schema=of).select(table.partition_value).dtypes
            assert found == table.partition_type, "the type of the partition column is declared"
            ordered = {*table.order, *table.partition_value.meta.root_names()}
            assert {*table.key} <= ordered, "the order tells all records apart"

    def test_every_field_has_a_type_and_named_fields_are_fields(self, tmp_path: Path) -> None:
        with self.bench(tmp_path) as bench:
            kind = bench.kind
            fields = kind.fields(bench.context)
            assert fields
            for of in fields.values():
                assert isinstance(of, pl.DataType)
            assert {*kind.default_fields} <= {*fields}
            assert {*kind.fields_example.split(",")} <= {*fields, *kind.default_fields}
            assert {*kind.stand_ins} <= {*fields}
            assert {*kind.own_fields(bench.context)} <= {*fields}
            for name in kind.digits(bench.context):
                assert fields[name] == pl.Boolean

    def test_columns_of_files_are_columns_of_the_table(self, tmp_path: Path) -> None:
        with self.bench(tmp_path) as bench:
            kind = bench.kind
            columns = {column.name: column for column in kind.loading.columns(bench.catalog)}
            for name in kind.table.key:
                assert columns[name].required, f"{name} is of the key"
            for name, of in kind.table.columns.items():
                assert name not in columns or columns[name].type == of, name

    def test_the_shape_of_a_filter_accepts_what_is_read(self, tmp_path: Path) -> None:
        with self.bench(tmp_path) as bench:
            for entry in bench.kind.filters:
                for value in ODD:
                    try:
                        entry.read(value, entry.name, bench.context)
                    except ApiError:
                        continue
                    assert _fits(value, entry.shape), f"{entry.name} takes {value!r}"

    def test_the_examples_fit_the_shapes_and_the_rule(self, tmp_path: Path) -> None:
        used = {name for example in self.examples for name in example}
        assert used == {entry.name for entry in self.kind.filters}, "each filter has an example"
        with self.bench(tmp_path) as bench:
            fields = self._own_fields(bench)
            for example in self.examples:
                bench.kind.read({"filter": example, "fields": fields}, bench.context)
                assert _fits(example, self.kind.rule.shape)
                for entry in bench.kind.filters:
                    if entry.name in example:
                        assert _fits(example[entry.name], entry.shape), entry.name

    def test_stored_filters_and_clauses_are_plain_data(self, tmp_path: Path) -> None:
        with self.bench(tmp_path) as bench:
            kind, fields = bench.kind, self._own_fields(bench)
            columns = {*kind.table.columns, kind.table.partition}
            columns |= {column.name for column in kind.loading.columns(bench.catalog)}
            for example in self.examples:
                stored = kind.read({"filter": example, "fields": fields}, bench.context).filter
                assert json_of(stored) == stored
                for clause in kind.clauses(stored, bench.context):
                    assert clause.columns <= columns
                    assert parse_clause(json_of(clause.to_json())) == clause

    def test_an_option_reads_its_example(self) -> None:
        flags = [flag for e in self.kind.filters if e.option for flag in e.option.flag.split("/")]
        if self.kind.type_option is not None:
            flags.append(self.kind.type_option.flag)
            assert self.kind.type_option.pattern.fullmatch(self.kind.type_option.example)
        assert len({*flags}) == len(flags)
        assert not {*flags} & _FIXED
        for entry in self.kind.filters:
            option = entry.option
            if option is None:
                continue
            assert option.example in option.help, f"the help of {option.flag} has its example"
            typed = option.type(option.example)
            value = option.read([typed] if option.repeated else typed)
            assert _fits(value, entry.shape), f"{option.flag} makes {value!r}"
            if option.alone is not None:
                (single,) = (e for e in self.kind.filters if e.name == option.alone)
                assert _fits(value[0], single.shape)

    def test_describe_calls_answer_as_they_declare(self, tmp_path: Path) -> None:
        with self.bench(tmp_path) as bench:
            for entry in self.kind.descriptions:
                assert entry.path.startswith("/rest/")
                assert entry.find.__doc__, "the docstring is the summary"
                named = {each.name for each in entry.parameters if each.location == "path"}
                assert named == {*re.findall(r"\{(\w+)\}", entry.path)}
                found = entry.find(Call(bench.catalog, self.type_name))
                TypeAdapter(list[entry.result]).validate_python(list(found.result))  # type: ignore[name-defined]

    def test_what_is_loaded_is_exported_and_loaded_again(self, tmp_path: Path) -> None:
        with self.bench(tmp_path) as bench:
            first, second = bench.lake("a"), bench.lake("b")
            loaded = bench.load_records(first, [*reversed(self.records)]).merged
            assert loaded.added == len(self.records)
            body = {"filter": self.examples[0], "fields": self._own_fields(bench)}
            exported = bench.export(first, body)
            assert exported.count(b"\n") == 1 + len(self.records)
            bench.load(second, exported, "csv")
            assert bench.export(second, body) == exported
            assert bench.export(first, body, part_records=1) == exported
            again = bench.load_records(first, self.records).merged
            assert (again.added, again.changed, again.unchanged) == (0, 0, len(self.records))

    def test_what_an_export_wrote_changes_nothing(self, tmp_path: Path) -> None:
        with self.bench(tmp_path) as bench:
            lake = bench.lake("a")
            # Exports cut moments to the second.
            bench.moment += timedelta(microseconds=123_456)
            bench.load_records(lake, self.records)
            for number, file_format in enumerate(FORMATS.values()):
                body = {
                    "filter": self.examples[0],
                    "fields": [*bench.kind.fields(bench.context)],
                    "format": file_format.name,
                }
                exported = bench.export(lake, body)
                ending = file_format.extension.removeprefix(".")
                bench.moment += timedelta(minutes=1)
                again = bench.load(lake, exported, ending).merged
                assert again == Merged(unchanged=len(self.records)), file_format.name
                assert bench.export(lake, body) == exported, file_format.name
                bench.load(bench.lake(f"b{number}"), exported, ending)

    def test_every_example_is_exported(self, tmp_path: Path) -> None:
        with self.bench(tmp_path) as bench:
            lake = bench.lake("a")
            for example in self.examples:  # of a table that does not exist yet
                body = {"filter": example, "fields": self._own_fields(bench)}
                assert bench.export(lake, body).count(b"\n") == 1
            bench.load_records(lake, self.records)
            for example in self.examples:
                body = {"filter": example, "fields": self._own_fields(bench)}
                assert bench.export(lake, body).endswith(b"\n")

    def test_records_of_a_deleted_lead_go_where_the_table_says_so(self, tmp_path: Path) -> None:
        with self.bench(tmp_path) as bench:
            lake, column = bench.lake("a"), bench.kind.table.depends_on
            bench.load_records(lake, self.records)
            body = {"filter": self.examples[0], "fields": self._own_fields(bench)}
            before = bench.export(lake, body).count(b"\n")
            deletions = pl.DataFrame({"leadId": [7], "deletedAt": [self.moment]})
            delete_leads(lake, deletions, [*all_tables(bench.catalog), bench.kind.table])
            deleted = sum(record.get(column) == 7 for record in self.records) if column else 0  # noqa: PLR2004
            assert deleted or not column, "one record must depend on lead 7"
            assert bench.export(lake, body).count(b"\n") == before - deleted

    def _own_fields(self, bench: Bench) -> list[str]:
        """Return the fields that files of the kind have too."""
        kind = bench.kind
        columns = {column.name for column in kind.loading.columns(bench.catalog)}
        return [name for name in kind.fields(bench.context) if name in columns]


def _fits(value: object, shape: Shape) -> bool:
    return bool(Draft202012Validator(shape).is_valid(json_of(value)))
