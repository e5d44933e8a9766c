"""The suite that every executor passes, built in or not.

A test module derives a class from `ExecutorSuite`, and pytest collects it:

    class TestMine(ExecutorSuite):
        @pytest.fixture(scope="class")
        @classmethod
        def bench(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
            settings = Settings(data=tmp_path_factory.mktemp("mine"))
            executor = MyExecutor(FolderStore(settings.files_folder), PROCESSORS)
            yield Bench(executor, settings, make_lake(settings))
            executor.close()

It needs pytest.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from outhaul.export.assemble import assemble
from outhaul.export.executor import Executor, StoppedError
from outhaul.export.formats import CSV
from outhaul.export.output import Output
from outhaul.export.plan import Plan
from outhaul.lake.snapshot import Lake
from outhaul.reading.reading import PlannedPart, Reading
from outhaul.settings import Settings
from outhaul.storage.folder import FolderStore
from outhaul.storage.manifest import Manifest, Part

PATIENCE = 120
"""Seconds to wait for something that should happen. A busy machine is slow."""

PROCESSORS = 2
"""How many parts an executor must render at a time in these tests."""

SHORT, LONG = 1, 2_000
"""How many times a part reads its file: some milliseconds, and longer than any test takes."""

FILE_RECORDS = 1_000
TEXT = 'a "quoted", or a null'


@dataclass(frozen=True)
class Bench:
    """An executor, a lake to read, and a folder for the files."""

    executor: Executor
    settings: Settings
    """The executor stores parts in the folder for files of these settings."""
    lake: Lake

    @property
    def store(self) -> FolderStore:
        """The store of the files."""
        return FolderStore(self.settings.files_folder)

    def export(
        self,
        plan: Plan,
        prefix: str,
        stop: threading.Event | None = None,
        publish: Callable[[Part], None] = lambda _: None,
    ) -> Manifest:
        """Return the manifest of the file of a plan."""
        return assemble(
            plan,
            self.lake,
            prefix=prefix,
            files=self.store,
            executor=self.executor,
            stop=stop or threading.Event(),
            publish=publish,
        )

    def content(self, manifest: Manifest) -> bytes:
        """Return the bytes of a file."""
        return b"".join(self.store.read(p.key, 0, p.size) for p in manifest.parts if p.size)

    def on_disk(self, prefix: str) -> dict[Path, tuple[int, int]]:
        """Return the size and the time of each part under a prefix, complete or not."""
        found = {}
        for path in (self.settings.files_folder / prefix).rglob("0*"):
            with suppress(FileNotFoundError):  # it is complete now, under another name
                status = path.stat()
                found[path] = status.st_size, status.st_mtime_ns
        return found

    def wait_until_busy(self, prefix: str) -> None:
        """Return when as many parts are being written as the executor can render.

        There can be more files than that: a part that is rendered again leaves the file that was
        begun before.
        """
        folder = self.settings.files_folder / prefix
        last = time.monotonic() + PATIENCE
        while len(list(folder.rglob("*.begun"))) < PROCESSORS:
            assert time.monotonic() < last, "too few parts are rendered at a time"
            time.sleep(0.005)

    def check_unchanged(self, prefix: str, before: dict[Path, tuple[int, int]]) -> None:
        """Check that no part under a prefix changes while another job is rendered."""
        after = plan_of(*[SHORT] * 9)
        assert self.export(after, f"{prefix}-after").records == 9 * FILE_RECORDS
        assert self.on_disk(prefix) == before


def make_lake(settings: Settings) -> Lake:
    """Make the table that `plan_of` reads; return the lake that it is in."""
    table = settings.lake_folder / "default" / "table"
    table.mkdir(parents=True)
    for number in range(4):
        records = pl.select(
            id=pl.int_range(FILE_RECORDS) + number * FILE_RECORDS, text=pl.lit(TEXT)
        )
        records.write_parquet(table / f"{number}.parquet")
    return Lake(table.parent)


def plan_of(*times: int) -> Plan:
    """Return a plan with a part for each number, which reads its file as many times."""
    fields = ["id", "text"]
    return Plan(
        reading=Reading(
            table="table",
            version=0,
            columns={"id": pl.Int64(), "text": pl.String()},
            order=("id",),
            clauses=[],
            parts=[
                PlannedPart(partitions=[[f"{number % 4}.parquet"]] * count)
                for number, count in enumerate(times)
            ],
        ),
        output=Output(fields=fields, headers=fields, format=CSV, stand_ins={}),
    )


def rows(*times: int) -> bytes:
    """Return the file of a plan that `plan_of` returned for the same numbers."""
    cell = '"' + TEXT.replace('"', '""') + '"'
    lines = ["id,text\n"]
    for number, count in enumerate(times):
        first = number % 4 * FILE_RECORDS
        lines += [f"{n},{cell}\n" for n in range(first, first + FILE_RECORDS)] * count
    return "".join(lines).encode()


class ExecutorSuite:
    """The tests. A subclass gives `bench`; no name of a test may be changed or left out."""

    @pytest.fixture(scope="class")
    @classmethod
    def bench(cls) -> Iterator[Bench]:
        """Give a bench with an executor that renders `PROCESSORS` parts at a time."""
        raise NotImplementedError

    def test_the_file_is_its_parts_in_order_however_long_each_of_them_takes(
        self, bench: Bench
    ) -> None:
        times = [60, *[SHORT] * 20, 20, SHORT]
        manifest = bench.export(plan_of(*times), "order/a")
        wanted = rows(*times)
        assert bench.content(manifest) == wanted
        assert manifest.checksum == hashlib.sha256(wanted).hexdigest()
        assert (manifest.size, manifest.records) == (len(wanted), FILE_RECORDS * sum(times))
        assert [part.number for part in manifest.parts] == list(range(len(times)))
        assert len({part.key for part in manifest.parts}) == len(times)
        assert all(part.key.startswith("order/a/") for part in manifest.parts)

    def test_without_parts_the_header_is_the_file(self, bench: Bench) -> None:
        manifest = bench.export(plan_of(), "header/a")
        assert (manifest.records, bench.content(manifest)) == (0, b"id,text\n")

    def test_few_parts_are_rendered_ahead_of_the_hash(self, bench: Bench) -> None:
        def give_up(part: Part) -> None:
            raise ZeroDivisionError(part.number)

        with pytest.raises(ZeroDivisionError):
            bench.export(plan_of(*[SHORT] * 50), "ahead/a", publish=give_up)
        begun = {path.name[:6] for path in bench.on_disk("ahead/a")}
        assert 1 <= len(begun) <= bench.executor.ahead + 1

    def test_a_job_that_is_stopped_writes_nothing_more(self, bench: Bench) -> None:
        stop = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(bench.export, plan_of(*[LONG] * 9), "stop/a", stop)
            bench.wait_until_busy("stop/a")
            stop.set()
            assert isinstance(running.exception(PATIENCE), StoppedError)
        bench.check_unchanged("stop/a", bench.on_disk("stop/a"))

    def test_a_job_that_is_stopped_before_it_begins_ends(self, bench: Bench) -> None:
        stop = threading.Event()
        stop.set()
        with pytest.raises(StoppedError):
            bench.export(plan_of(SHORT, SHORT), "never/a", stop)
        bench.check_unchanged("never/a", bench.on_disk("never/a"))

    def test_cancel_returns_when_nothing_is_written_any_more(self, bench: Bench) -> None:
        plan, stop = plan_of(SHORT, 800, 800, 800), threading.Event()
        parts = [
            bench.executor.submit(plan.task(number, f"cancel/a/{number:06}"), bench.lake, stop)
            for number in range(plan.part_count)
        ]
        parts[0].result()
        bench.executor.cancel(parts)
        bench.check_unchanged("cancel/a", bench.on_disk("cancel/a"))

    def test_an_error_in_a_part_surfaces_when_the_others_have_ended(self, bench: Bench) -> None:
        plan = plan_of(SHORT, SHORT, LONG, LONG)
        plan.reading.parts[1].partitions[0][0] = "missing.parquet"  # type: ignore[index]
        with pytest.raises(Exception, match=r"missing\.parquet"):
            bench.export(plan, "error/a")
        bench.check_unchanged("error/a", bench.on_disk("error/a"))

    def test_jobs_side_by_side_do_not_mix(self, bench: Bench) -> None:
        plan = plan_of(*[SHORT, 3] * 6)
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda n: bench.export(plan, f"many/{n}"), range(4)))
        assert {manifest.checksum for manifest in made} == {
            hashlib.sha256(rows(*[SHORT, 3] * 6)).hexdigest()
        }
        assert (
            len({part.key for manifest in made for part in manifest.parts}) == 4 * plan.part_count
        )
