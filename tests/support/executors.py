"""An executor with a lake to read and a folder to write to, and plans as long as a test wants."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from tests.support.waiting import wait_for

from outhaul.export.assemble import assemble
from outhaul.export.executor import Executor
from outhaul.export.formats import CSV
from outhaul.export.output import Output
from outhaul.export.plan import Plan
from outhaul.lake.snapshot import Lake
from outhaul.reading.reading import Part, Reading
from outhaul.settings import Settings
from outhaul.storage.folder import FolderStore
from outhaul.storage.manifest import Manifest
from outhaul.storage.manifest import Part as StoredPart

PROCESSORS = 2
SHORT, LONG = 1, 2_000
"""How many times a part reads its file: some milliseconds, and longer than any test takes."""
TEXT = 'a "quoted", or a null'


@dataclass(frozen=True)
class Bench:
    """An executor, a lake, and the files that come of them."""

    executor: Executor
    settings: Settings
    lake: Lake

    @property
    def store(self) -> FolderStore:
        return FolderStore(self.settings.files_folder)

    def export(
        self,
        plan: Plan,
        prefix: str,
        stop: threading.Event | None = None,
        publish: Callable[[StoredPart], None] = lambda _: None,
    ) -> Manifest:
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
        return b"".join(self.store.read(p.key, 0, p.size) for p in manifest.parts if p.size)

    def on_disk(self, prefix: str) -> dict[Path, tuple[int, int]]:
        """Return what there is under a prefix, begun or whole: its bytes, and when it changed."""
        found = {}
        for path in (self.settings.files_folder / prefix).rglob("0*"):
            with suppress(FileNotFoundError):  # it was begun, and is whole now, by another name
                status = path.stat()
                found[path] = status.st_size, status.st_mtime_ns
        return found

    def wait_until_busy(self, prefix: str) -> None:
        folder = self.settings.files_folder / prefix
        wait_for(lambda: len(list(folder.rglob("*.begun"))) == PROCESSORS)

    def check_unchanged(self, prefix: str, before: dict[Path, tuple[int, int]]) -> None:
        """Check that nothing is written any more, while another job is rendered."""
        assert self.export(plan_of(*[SHORT] * 9), f"{prefix}-after").records == 9_000
        assert self.on_disk(prefix) == before


def make_lake(settings: Settings) -> Lake:
    """Make the table that `plan_of` reads; return the lake that it is in."""
    table = settings.lake_folder / "default" / "table"
    table.mkdir(parents=True)
    for number in range(4):
        records = pl.select(id=pl.int_range(1_000) + number * 1_000, text=pl.lit(TEXT))
        records.write_parquet(table / f"{number}.parquet")
    return Lake(table.parent)


def plan_of(*times: int) -> Plan:
    """Return the plan of a part for each number: how many times it reads its file."""
    fields = ["id", "text"]
    return Plan(
        reading=Reading(
            table="table",
            version=0,
            columns={"id": pl.Int64(), "text": pl.String()},
            order=("id",),
            clauses=[],
            parts=[
                Part(partitions=[[f"{number % 4}.parquet"]] * count)
                for number, count in enumerate(times)
            ],
        ),
        output=Output(fields=fields, headers=fields, format=CSV, stand_ins={}),
    )


def rows(*times: int) -> bytes:
    """Return the file that is made by `plan_of`."""
    cell = '"' + TEXT.replace('"', '""') + '"'
    lines = ["id,text\n"]
    for number, count in enumerate(times):
        first = number % 4 * 1_000
        lines += [f"{n},{cell}\n" for n in range(first, first + 1_000)] * count
    return "".join(lines).encode()
