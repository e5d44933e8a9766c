"""A column gets a wider type when a value does not fit, and its old values keep their texts."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples
from tests.support.loads import load_leads
from tests.support.plans import planned, rendered

from outhaul.catalog.entries import Entries, LeadField
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.kinds.filter import Context
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import LEADS, LEADS_A_RANGE
from outhaul.limits import Limits
from outhaul.loading.loads import Loaded
from outhaul.records.conversions import data_type
from outhaul.records.readers import FileError

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)
BODY = {
    "fields": ["id", "x"],
    "filter": {"createdAt": {"startAt": "2026-01-31T00:00:00Z", "endAt": "2026-01-31T23:59:59Z"}},
}
NUMBERS = count()


class Bench:
    """A lake of leads with a field, by default `x`."""

    def __init__(self, folder: Path, catalog: Catalog, field: str = "x") -> None:
        self.field = field
        self.folder = folder
        self.catalog = catalog
        self.lake = Lake(folder / "lake")

    def load(self, cells: Sequence[str], *, first: int = 1, infer: bool = True) -> Loaded:
        """Load a lead for each cell; each has a partition of its own."""
        path = self.folder / f"{first}.csv"
        rows = (f"{(first + n) * LEADS_A_RANGE},{cell}\n" for n, cell in enumerate(cells))
        path.write_text("".join([f"id,{self.field}\n", *rows]), "utf-8")
        return load_leads(self.lake, self.catalog, path, MOMENT, lambda _: None, infer=infer)

    def declare(self, of: str) -> None:
        field = LeadField(id=9001, name="x", display_name="X", data_type=of)
        self.catalog.store(Entries(lead_fields=(field,)))

    @property
    def type(self) -> str:
        snapshot = self.lake.snapshot(LEADS)
        assert snapshot is not None
        return data_type(snapshot.columns[self.field])

    @property
    def declared(self) -> str:
        return self.catalog.lead_fields()["x"].data_type

    def exported(self) -> list[str]:
        """Return the cells of `x` in an export, by id."""
        context = Context(catalog=self.catalog, limits=Limits(), moment=MOMENT)
        body = {**BODY, "fields": ["id", self.field]}
        lines = rendered(planned("leads", body, context, self.lake), self.lake).decode()
        return [line.partition(",")[2] for line in lines.splitlines()[1:]]


@pytest.fixture
def bench(tmp_path: Path, catalog: Catalog) -> Bench:
    return Bench(tmp_path, catalog)


@pytest.mark.parametrize(
    ("stored", "of", "then", "wide"),
    [
        (["5", "-7"], "integer", ["1.5"], "float"),
        (["5", "-7"], "integer", ["x"], "string"),
        (["5"], "integer", ["1.50"], "string"),
        (["5"], "integer", [str(2**63)], "string"),
        (["5"], "integer", ["1" + "0" * 22], "float"),
        ([str(2**53 + 1)], "integer", ["1.5"], "string"),
        ([str(-(2**53) - 1)], "integer", ["1.5"], "string"),
        ([str(2**53)], "integer", ["1.5"], "float"),
        (["1.5", "2"], "float", ["2026-01-31"], "string"),
        (["1.5"], "float", ["0.12345678901234567890"], "string"),
        (["true", "false"], "boolean", ["yes"], "string"),
        (["true"], "boolean", ["2"], "string"),
        (["2026-01-31"], "date", ["2026-01-31T10:00:00Z"], "string"),
        (["2026-01-31T00:00:00Z"], "datetime", ["2026-01-31T00:00:00.0000001Z"], "string"),
    ],
)
def test_an_inferred_column_is_widened_and_its_values_keep_their_texts(
    bench: Bench, stored: list[str], of: str, then: list[str], wide: str
) -> None:
    bench.load(stored)
    assert (bench.type, bench.exported()) == (of, stored)
    loaded = bench.load(then, first=10)
    assert loaded.merged.added == len(then)
    assert (bench.type, bench.declared) == (wide, wide)
    assert bench.exported() == [*stored, *then]
    (decision,) = loaded.decisions
    assert (decision.field, data_type(decision.type), decision.widened) == ("x", wide, True)
    again = [bench.load(stored), bench.load(then, first=10)]
    assert [found.merged.version for found in again] == [None, None]
    assert [found.decisions for found in again] == [[], []]


def test_a_column_is_widened_again(bench: Bench) -> None:
    cells = ["5", "1.5", "x"]
    for n, of in enumerate(("integer", "float", "string")):
        bench.load([cells[n]], first=n + 1)
        assert bench.type == of
    assert bench.exported() == cells


def test_a_value_that_does_not_fit_is_found_in_a_late_batch(bench: Bench) -> None:
    bench.load(["5"])
    bench.load(["6", "007", *["8"] * 100, "1.5"], first=10)
    assert bench.exported() == ["5", "6", "007", *["8"] * 100, "1.5"]


def test_other_problems_of_the_file_are_told_and_nothing_is_widened(bench: Bench) -> None:
    bench.load(["5"])
    before = bench.lake.snapshot(LEADS)
    path = bench.folder / "b.csv"
    path.write_text("id,x\n1,x\n-1,y\n", "utf-8")
    with pytest.raises(FileError, match=":3: id: '-1' is not a positive integer"):
        load_leads(bench.lake, bench.catalog, path, MOMENT, lambda _: None, infer=True)
    assert bench.lake.snapshot(LEADS) == before


def test_without_inference_a_value_is_refused_with_advice(bench: Bench) -> None:
    bench.load(["5"])
    before = bench.lake.snapshot(LEADS)
    with pytest.raises(
        FileError, match=r":2: x: 'a' is not an integer; --infer-fields would widen the field"
    ):
        bench.load(["a"], first=10, infer=False)
    assert bench.lake.snapshot(LEADS) == before


@pytest.mark.parametrize("infer", [False, True])
def test_a_declared_column_is_not_widened_beyond_the_catalog(bench: Bench, infer: bool) -> None:
    bench.declare("integer")
    bench.load(["5"])
    with pytest.raises(FileError, match=r":2: x: '1.5' is not an integer$"):
        bench.load(["1.5"], first=10, infer=infer)


# The catalog contradicts the table.


@pytest.mark.parametrize(
    ("first", "stored", "declared", "then"),
    [
        ("integer", "5", "float", "1.5"),
        ("integer", "5", "string", "x"),
        ("integer", "5", "email", "x"),
        ("score", "5", "currency", "1.5"),
        ("float", "1.5", "string", "x"),
        ("boolean", "true", "string", "x"),
        ("date", "2026-01-31", "string", "x"),
        ("datetime", "2026-01-31T00:00:00Z", "string", "x"),
    ],
)
def test_a_column_is_widened_to_what_the_catalog_says_now(
    bench: Bench, first: str, stored: str, declared: str, then: str
) -> None:
    bench.declare(first)
    bench.load([stored])
    bench.declare(declared)
    before = bench.type
    unchanged = bench.load([stored])
    assert unchanged.merged.version is None
    (decision,) = unchanged.decisions
    assert (data_type(decision.type), decision.widened) == (before, False)
    (decision,) = bench.load([then], first=10, infer=then == "x").decisions
    assert decision.widened
    assert bench.exported() == [stored, then]
    assert bench.declared == declared


@pytest.mark.parametrize(
    ("first", "declared", "cell", "then"),
    [
        ("string", "integer", "x", "5"),
        ("float", "integer", "1.5", "2.5"),
        ("string", "date", "x", "y"),
    ],
)
def test_a_column_keeps_its_type_if_the_catalog_says_a_narrower_one(
    bench: Bench, first: str, declared: str, cell: str, then: str
) -> None:
    bench.declare(first)
    bench.load([cell])
    bench.declare(declared)
    (decision,) = bench.load([then], first=10).decisions
    assert (data_type(decision.type), decision.widened) == (first, False)
    assert decision.reason == (
        f"the catalog says {declared}, but the column has had the type {first} since an earlier "
        "load"
    )
    assert bench.exported() == [cell, then]


@pytest.mark.parametrize(
    ("first", "stored", "declared", "then"),
    [
        ("boolean", "true", "integer", "5"),
        ("integer", str(2**53 + 1), "float", "1.5"),
        ("date", "2026-01-31", "datetime", "2026-01-31T10:00:00Z"),
    ],
)
def test_a_value_is_refused_if_the_column_cannot_get_the_type_of_the_catalog(
    bench: Bench, first: str, stored: str, declared: str, then: str
) -> None:
    bench.declare(first)
    bench.load([stored])
    bench.declare(declared)
    before = bench.lake.snapshot(LEADS)
    with pytest.raises(FileError) as caught:
        bench.load([then], first=10)
    (problem,) = caught.value.problems
    assert problem.reason.startswith(f"x: '{then}' is not ")
    assert problem.reason.endswith(
        f"(the catalog says {declared}, but the column has had the type {first} since an earlier "
        "load)"
    )
    assert bench.lake.snapshot(LEADS) == before


# Others at the same time.


def test_an_export_that_began_before_gives_the_same_file(bench: Bench) -> None:
    bench.load(["5", "6"])
    context = Context(catalog=bench.catalog, limits=Limits(), moment=MOMENT)
    plan = planned("leads", BODY, context, bench.lake, part_records=1)
    before = rendered(plan, bench.lake)
    bench.load(["x"], first=10)
    assert bench.type == "string"
    assert rendered(plan, bench.lake) == before
    later = rendered(planned("leads", BODY, context, bench.lake), bench.lake)
    assert later.startswith(before)


def test_loads_that_widen_a_column_at_the_same_time(bench: Bench) -> None:
    bench.load(["5"])

    def load(n: int) -> None:
        while True:
            try:
                bench.load([["1.5", "x", "7", "true"][n % 4]], first=10 + n)
            except FileError as refused:
                assert "at the same time; load the file again" in str(refused)  # noqa: PT017
            else:
                return

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(load, range(8)))
    assert bench.exported() == ["5", *["1.5", "x", "7", "true"] * 2]


CELLS = (
    st.integers(-(2**65), 2**65).map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(str)
    | st.sampled_from(["true", "false", "1", "0", "x", "2026-01-31", "2026-01-31T00:00:00Z"])
)


@examples(25)
@given(st.lists(CELLS, min_size=1, max_size=3), st.lists(CELLS, min_size=1, max_size=3))
def test_values_have_the_same_texts_after_another_file(
    tmp_path_factory: pytest.TempPathFactory,
    shared: Catalog,
    first: list[str],
    second: list[str],
) -> None:
    bench = Bench(tmp_path_factory.mktemp("lake"), shared, field=f"x{next(NUMBERS)}")
    bench.load(first)
    assert bench.exported() == first
    bench.load(second, first=10)
    for given_text, text in zip([*first, *second], bench.exported(), strict=True):
        # A value that fits the type of the first file may be written in another way: 1 is true.
        assert text == given_text or bench.type != "string"
    assert bench.exported()[: len(first)] == first


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('state') / 'outhaul.db'}")
    database.migrate()
    yield Catalog(database, "default")
    database.close()
