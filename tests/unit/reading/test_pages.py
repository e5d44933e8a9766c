"""Pages against a model of them: all records in a list, sorted, and read with plain Python."""

import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.examples import examples

from outhaul.lake.clauses import Between, Clause, MemberOf, OneOf
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import ACTIVITIES, LEADS, Table
from outhaul.reading import pages
from outhaul.reading.pages import Position, RecordPage, read_page

Load = Callable[[Lake, str, Iterable[Mapping[str, Any]]], None]
Record = dict[str, Any]

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
FIELDS = ("marketoGUID", "leadId", "activityDate", "activityTypeId", "attributes")

# Moments that are equal, or a microsecond apart, also where a second, a day or time itself ends.
MOMENTS = st.sampled_from(
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        NOON,
        NOON + MICROSECOND,
        NOON + 999_999 * MICROSECOND,
        NOON + SECOND,
        NOON + 7_000 * SECOND,
        NOON.replace(hour=0) + DAY - MICROSECOND,
        NOON.replace(hour=0) + DAY,
        NOON + DAY,
        datetime.max.replace(microsecond=0, tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    ]
)
GUIDS = st.sampled_from(["1", "10", "2", "9", "a", "B", "é", "\U0001f600", "", " "]).map(
    "g{}".format
)
ACTIVITIES_GIVEN = st.lists(
    st.fixed_dictionaries(
        {
            "marketoGUID": GUIDS,
            "leadId": st.integers(1, 4),
            "activityDate": MOMENTS,
            "activityTypeId": st.sampled_from([1, 2, 6]),
        }
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda record: record["marketoGUID"],
)
TYPES = st.sampled_from([(1,), (2, 6), (1, 2, 6), (10,)])


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut everything that can be cut: a stretch is of two records."""
    monkeypatch.setattr(pages, "SLICE_RECORDS", 2)


def written(record: Record) -> Record:
    return {**record, "activityDate": record["activityDate"].isoformat()}


def place_of(record: Mapping[str, Any], table: Table = ACTIVITIES) -> Position:
    return tuple(record[name] for name in table.order)


def page_of(lake: Lake, table: Table, clauses: Sequence[Clause] = (), **how: Any) -> RecordPage:
    fields = how.pop("fields", FIELDS if table is ACTIVITIES else ("id", "email"))
    return read_page(lake, table, lake.snapshot(table), clauses, fields, **how)


def walk(
    lake: Lake, table: Table, clauses: Sequence[Clause] = (), **how: Any
) -> Iterator[RecordPage]:
    """Give the pages from the place `after` on, each read where the one before ended."""
    after = how.pop("after", None)
    while True:
        page = page_of(lake, table, clauses, after=after, **how)
        assert len(page.records) <= how["size"]
        assert all(after is None or place_of(record, table) > after for record in page.records)
        yield page
        if not page.more:
            return
        assert page.position is not None
        assert after is None or page.position > after, "a page that follows itself"
        after = page.position


def records_of(walked: Iterable[RecordPage]) -> list[dict[str, Any]]:
    return [record for page in walked for record in page.records]


def guids(found: Iterable[Mapping[str, Any]]) -> list[str]:
    return [record["marketoGUID"] for record in found]


class TestWalks:
    @given(
        files=st.lists(ACTIVITIES_GIVEN, min_size=1, max_size=4),
        types=TYPES,
        leads=st.none() | st.sets(st.integers(1, 4), min_size=1),
        size=st.integers(1, 9),
        most=st.sampled_from([1, 3, 5_000_000]),
        stretch=st.sampled_from([1, 2, 5, 50_000]),
        since=st.none() | st.tuples(MOMENTS, st.just("") | GUIDS),
    )
    @examples(25)
    def test_a_walk_finds_every_record_once_and_in_order(  # noqa: PLR0913, PLR0917 - what varies
        self,
        load: Load,
        files: list[list[Record]],
        types: tuple[int, ...],
        leads: set[int] | None,
        size: int,
        most: int,
        stretch: int,
        since: Position | None,
    ) -> None:
        known: dict[str, Record] = {}
        clauses: list[Clause] = [OneOf("activityTypeId", types)]
        if leads is not None:
            clauses.append(OneOf("leadId", tuple(leads)))
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            patch.setattr(pages, "SLICE_RECORDS", stretch)
            lake = Lake(Path(folder))
            for records in files:
                load(lake, "activities", map(written, records))
                known |= {record["marketoGUID"]: record for record in records}
            walked = list(
                walk(lake, ACTIVITIES, clauses, size=size, after=since, most_records=most)
            )
        wanted = [
            record
            for record in sorted(known.values(), key=place_of)
            if record["activityTypeId"] in types
            and (leads is None or record["leadId"] in leads)
            and (since is None or place_of(record) > since)
        ]
        found = records_of(walked)
        assert [{name: record[name] for name in FIELDS[:4]} for record in found] == wanted
        if most == 5_000_000:
            assert walked[-1].position == (place_of(wanted[-1]) if wanted else since)
            assert all(len(page.records) == size for page in walked[:-1])
            assert len(walked) == max(1, -(-len(wanted) // size))

    @given(
        ids=st.lists(st.sets(st.integers(1, 120_000), min_size=1, max_size=8), max_size=4),
        size=st.integers(1, 9),
        after=st.none() | st.sampled_from([0, 1, 49_999, 50_000, 2**62]),
    )
    @example(ids=[{49_999, 50_000}, {1, 100_000}], size=1, after=None)
    @examples(25)
    def test_a_walk_of_leads_finds_every_one_in_the_order_of_their_ids(
        self, load: Load, ids: list[set[int]], size: int, after: int | None
    ) -> None:
        since = None if after is None else (after,)
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            patch.setattr(pages, "SLICE_RECORDS", 2)
            lake = Lake(Path(folder))
            for some in ids:
                load(lake, "leads", [{"id": n, "email": f"{n}@a.example"} for n in some])
            found = records_of(walk(lake, LEADS, size=size, after=since, most_records=3))
        wanted = sorted(n for n in set().union(*ids) if n > (after or 0))
        assert found == [{"id": n, "email": f"{n}@a.example"} for n in wanted]

    @given(
        first=ACTIVITIES_GIVEN,
        later=st.lists(ACTIVITIES_GIVEN, max_size=4),
        size=st.integers(1, 3),
        most=st.sampled_from([1, 3, 5_000_000]),
        types=TYPES,
    )
    @examples(25)
    def test_what_is_there_all_the_while_comes_once(  # noqa: PLR0913, PLR0917 - what varies
        self,
        load: Load,
        first: list[Record],
        later: list[list[Record]],
        size: int,
        most: int,
        types: tuple[int, ...],
    ) -> None:
        """Loads bring records before the place and after it, and touch those that are there."""
        kept = {record["marketoGUID"]: record for record in first}
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            patch.setattr(pages, "SLICE_RECORDS", 2)
            lake = Lake(Path(folder))
            load(lake, "activities", map(written, first))
            found: list[dict[str, Any]] = []
            new: set[str] = set()
            clauses = [OneOf("activityTypeId", types)]
            for number, page in enumerate(
                walk(lake, ACTIVITIES, clauses, size=size, most_records=most)
            ):
                found += page.records
                loaded = later[number] if number < len(later) else []
                # A record that is loaded again has other attributes; a date would move it.
                again = [{**kept[key], "attributes": {"n": number}} for key in list(kept)[:3]]
                fresh = [r for r in loaded if r["marketoGUID"] not in kept]
                new |= {record["marketoGUID"] for record in fresh}
                fresh = [r for r in fresh if r["marketoGUID"] not in guids(found)]
                if fresh or number < 3:
                    load(lake, "activities", map(written, [*again, *fresh]))
        wanted = [r for r in sorted(kept.values(), key=place_of) if r["activityTypeId"] in types]
        assert [key for key in guids(found) if key in kept] == guids(wanted)
        assert set(guids(found)) <= set(guids(wanted)) | new
        if later == []:
            assert guids(found) == guids(wanted)

    def test_a_walk_is_whole_while_files_are_merged(self, lake: Lake, load: Load) -> None:
        """Every page is followed by a load, and every so many loads write the day anew."""
        records = [
            written(
                {
                    "marketoGUID": f"{n:03}",
                    "leadId": 1,
                    "activityDate": NOON + n // 3 * SECOND,
                    "activityTypeId": 1,
                }
            )
            for n in range(60)
        ]
        load(lake, "activities", records[::2])
        seen: list[str] = []
        files: list[int] = []
        for number, page in enumerate(walk(lake, ACTIVITIES, size=2)):
            seen += guids(page.records)
            load(lake, "activities", records[2 * number + 1 : 2 * number + 2])
            snapshot = lake.snapshot(ACTIVITIES)
            assert snapshot is not None
            files.append(len(snapshot.files))
        assert any(after < before for before, after in pairwise(files))
        assert len(seen) == len(set(seen))
        assert seen == sorted(seen)
        assert set(guids(records[::2])) <= set(seen)

    @pytest.mark.usefixtures("small")
    def test_a_walk_is_whole_while_another_thread_loads(self, lake: Lake, load: Load) -> None:
        def activity(guid: str, second: int) -> Record:
            return {
                "marketoGUID": guid,
                "leadId": 1,
                "activityDate": (NOON + second * SECOND).isoformat(),
                "activityTypeId": 1,
            }

        kept = [activity(f"kept{n:03}", n) for n in range(100)]
        load(lake, "activities", kept)
        done = threading.Event()
        failures: list[BaseException] = []
        loads = 0

        def go_on() -> None:
            nonlocal loads
            try:
                while not done.is_set():
                    load(
                        lake,
                        "activities",
                        [
                            activity(f"new{loads:05}", loads * 7 % 100),
                            {**kept[loads % 100], "attributes": {"n": loads}},
                        ],
                    )
                    loads += 1
            except BaseException as error:
                failures.append(error)
                raise

        thread = threading.Thread(target=go_on)
        thread.start()
        walks = 0
        try:
            while (loads < 12 or walks < 3) and not failures:
                seen = guids(records_of(walk(lake, ACTIVITIES, size=9)))
                assert len(seen) == len(set(seen))
                assert [guid for guid in seen if guid.startswith("kept")] == guids(kept)
                walks += 1
        finally:
            done.set()
            thread.join()
        assert not failures


class TestPages:
    def test_a_table_that_was_never_loaded_has_none(self, lake: Lake) -> None:
        after = (NOON, "x")
        assert page_of(lake, ACTIVITIES, size=5) == RecordPage(
            records=(), position=None, more=False
        )
        assert page_of(lake, ACTIVITIES, size=5, after=after) == RecordPage(
            records=(), position=after, more=False
        )

    def test_a_column_that_the_table_has_not_got_is_left_out(self, lake: Lake, load: Load) -> None:
        load(lake, "leads", [{"id": 1}])
        page = page_of(lake, LEADS, size=5)
        assert page.records == [{"id": 1}]

    def test_nothing_fits_where_the_table_has_not_got_the_column(
        self, lake: Lake, load: Load
    ) -> None:
        load(lake, "leads", [{"id": 1}])
        for page in (
            page_of(lake, LEADS, [OneOf("leadScore", (1,))], size=5, after=(0,)),
            page_of(lake, LEADS, size=5, after=(0,), condition=pl.col("email").is_not_null()),
        ):
            assert page == RecordPage(records=(), position=(0,), more=False)

    def test_the_last_page_ends_at_its_last_record(self, lake: Lake, load: Load) -> None:
        load(lake, "leads", [{"id": n, "email": f"{n}"} for n in (1, 2, 3)])

        def page(size: int, after: int) -> tuple[list[int], Position | None, bool]:
            found = page_of(lake, LEADS, size=size, after=(after,))
            return [record["id"] for record in found.records], found.position, found.more

        assert page(2, 0) == ([1, 2], (2,), True)
        assert page(3, 0) == ([1, 2, 3], (3,), False), "no page follows one that is just full"
        assert page(2, 2) == ([3], (3,), False)
        assert page(2, 3) == ([], (3,), False)

    @pytest.mark.usefixtures("small")
    def test_a_page_ends_where_enough_was_looked_at(self, lake: Lake, load: Load) -> None:
        """It may have nothing, and goes on behind what was looked at."""
        load(
            lake,
            "activities",
            [
                {
                    "marketoGUID": f"{n}",
                    "leadId": 1,
                    "activityDate": (NOON + n * SECOND).isoformat(),
                    "activityTypeId": 6 if n == 9 else n % 2 * 9 + 1,
                }
                for n in range(10)
            ],
        )
        walked = list(
            walk(lake, ACTIVITIES, [OneOf("activityTypeId", (6,))], size=5, most_records=3)
        )
        assert [guids(page.records) for page in walked if page.records] == [["9"]]
        assert len(walked) > 2

    def test_no_page_ends_before_the_place_that_it_begins_at(
        self, lake: Lake, load: Load, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The day that ends at the place is looked at again, and has nothing more."""
        monkeypatch.setattr(pages, "SLICE_RECORDS", 1)
        load(
            lake,
            "activities",
            [
                {
                    "marketoGUID": f"{n}",
                    "leadId": 1,
                    "activityDate": (NOON + n * DAY).isoformat(),
                    "activityTypeId": 1,
                }
                for n in range(4)
            ],
        )
        walked = walk(lake, ACTIVITIES, size=2, most_records=1)
        assert guids(records_of(walked)) == ["0", "1", "2", "3"]

    def test_members_of_a_list_that_are_no_leads_are_not_there(
        self, lake: Lake, load: Load
    ) -> None:
        load(lake, "leads", [{"id": n, "email": f"{n}"} for n in (1, 2, 60_000)])
        load(lake, "list_members", [{"listId": 1001, "leadId": n} for n in (2, 7, 60_000, 2**40)])
        found = records_of(walk(lake, LEADS, [MemberOf(1001)], size=1))
        assert [record["id"] for record in found] == [2, 60_000]
        assert page_of(lake, LEADS, [MemberOf(1002)], size=1).records == []

    def test_clauses_on_the_order_itself_hold_besides_the_place(
        self, lake: Lake, load: Load
    ) -> None:
        load(lake, "leads", [{"id": n, "email": f"{n}"} for n in range(1, 10)])
        found = records_of(walk(lake, LEADS, [Between("id", 3, 6)], size=2, after=(3,)))
        assert [record["id"] for record in found] == [4, 5, 6]
