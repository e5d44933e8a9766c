"""A service of two subscriptions with all that it keeps in one place, and its processes.

Servers and workers are processes, each in a session of its own, that tests may kill.
"""

import itertools
import json
import re
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Self

from tests.support.azure import Container
from tests.support.failpoints import send_at
from tests.support.forked import Forked
from tests.support.loads import load_activities, load_leads, load_list_members, load_program_members
from tests.support.object_store import Bucket
from tests.support.processes import SERVES, START_SECONDS, STOP_SECONDS, environment

from outhaul import sample
from outhaul.accounts.services import Credentials, create_service
from outhaul.accounts.subscriptions import create_subscription
from outhaul.catalog.entries import parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.export.plan import make_plan
from outhaul.export.render import render_part
from outhaul.export.request import read_request
from outhaul.kinds import find_kind
from outhaul.kinds.filter import Context
from outhaul.lake.snapshot import Lake, open_lake
from outhaul.limits import Limits
from outhaul.settings import Settings

MOMENT = datetime(2026, 1, 20, 12, tzinfo=UTC)
"""The end of the records: in the thirty days before it there are activities."""

SUBSCRIPTIONS: Mapping[str, int] = {"default": 300, "other": 200}
"""How many leads each has. That makes all of their records differ."""

ACTIVITIES = 4_000
PART_RECORDS = 400

PERMISSIONS = ("Read-Only Lead", "Read-Only Activity")

WORK = ("worker", "--workers", "1")

# They notice what others do soon, and a job that they hold can soon be taken up by others.
LEASE_SECONDS = 1.0
_VARIABLES = {
    "OUTHAUL_LEASE_SECONDS": str(LEASE_SECONDS),
    "OUTHAUL_POLL_SECONDS": "0.05",
    "OUTHAUL_LISTEN_SECONDS": "0.1",
    "OUTHAUL_PART_RECORDS": str(PART_RECORDS),
    "OUTHAUL_LIMIT_CALLS_IN_20_SECONDS": "none",
    "OUTHAUL_LIMIT_CALLS_PER_DAY": "none",
}


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a service keeps its state, its lake and its files."""

    settings: Settings
    database: Database

    def variables(self) -> dict[str, str]:
        """Return the environment of its processes, which need no options then."""
        return environment(**self.settings.variables() | _VARIABLES)

    def lake(self, subscription: str) -> Lake:
        return open_lake(self.settings, subscription, self.database)

    def context(self, subscription: str) -> Context:
        return Context(catalog=Catalog(self.database, subscription), limits=Limits(), moment=MOMENT)

    def service(self, email: str, subscription: str) -> Credentials:
        return create_service(
            self.database,
            "tests",
            email=email,
            permissions=PERMISSIONS,
            moment=MOMENT,
            subscription_name=subscription,
        )

    def rendered(self, subscription: str, kind: str, body: Mapping[str, Any]) -> tuple[bytes, int]:
        """Return the file that a request is to give, and its records: in one go, and here."""
        context, lake = self.context(subscription), self.lake(subscription)
        found = find_kind(kind, context)
        plan = make_plan(found, read_request(found, body, context), context, lake, 10**9)
        content = BytesIO()
        count = plan.part_count
        records = sum(
            render_part(plan.task(n, ""), lake, content, lambda: None) for n in range(count)
        )
        return content.getvalue(), records


@contextmanager
def site(
    folder: Path, database_url: str | None = None, bucket: Bucket | Container | None = None
) -> Iterator[Site]:
    """Make a service and load its records: in SQLite and a folder, unless told where else."""
    places: dict[str, Any] = {"data": folder / "data"}
    if bucket is not None:
        places = {
            "lake_url": f"{bucket.url}/lake",
            "files_url": f"{bucket.url}/files",
            **bucket.settings,
        }
    if database_url is not None:
        places["database_url"] = database_url
    settings = Settings(
        **places, lease_seconds=LEASE_SECONDS, part_records=PART_RECORDS, poll_seconds=0.005
    )
    if settings.data is not None:
        settings.data.mkdir()
    database = Database(settings.database_url)
    database.migrate()
    made = Site(settings=settings, database=database)
    for name, leads in SUBSCRIPTIONS.items():
        if name != "default":
            create_subscription(database, name, MOMENT)
        _load(made, name, leads, folder / "records.jsonl")
    yield made
    database.close()


def _load(made: Site, subscription: str, leads: int, path: Path) -> None:
    catalog, lake = Catalog(made.database, subscription), made.lake(subscription)
    catalog.store(parse_catalog(sample.catalog()))
    activities = sample.activities(ACTIVITIES, until=MOMENT, lead_count=leads)
    records: list[tuple[Any, Iterable[Mapping[str, Any]]]] = [
        (load_list_members, sample.list_members(leads)),
        (load_activities, activities),
        (load_program_members, sample.program_members(leads, until=MOMENT)),
        (load_leads, sample.leads(leads, until=MOMENT)),
    ]
    for load, some in records:
        path.write_text("".join(json.dumps(record) + "\n" for record in some), "utf-8")
        load(lake, catalog, path, MOMENT, lambda _: None)


class Process(Forked):
    """A server or a worker, which writes its events to a file."""

    log: Path

    def is_serving(self) -> bool:
        """Tell whether a server answers calls. One that ended will not."""
        text = self.log.read_text()
        assert self.poll() is None, text
        return SERVES in text

    def has_said(self, event: str) -> bool:
        """Tell whether a worker has written an event."""
        text = self.log.read_text()
        assert self.poll() is None, text
        return f'"event": "{event}"' in text

    def handles_signals(self) -> bool:
        """Tell whether SIGTERM no longer ends it at once."""
        assert self.runs, self.log.read_text()
        status = Path(f"/proc/{self.pid}/status").read_text()
        (caught,) = re.findall(r"^SigCgt:\s*(\w+)", status, re.MULTILINE)
        return bool(int(caught, 16) & 1 << (signal.SIGTERM - 1))

    def end(self) -> None:
        """End it as a service manager does, and see that it ended well."""
        self.terminate()
        assert self.wait(STOP_SECONDS) == 0, self.log.read_text()


class Fleet:
    """The processes of a service; at the end there is none of them."""

    def __init__(self, of: Site, logs: Path) -> None:
        self._variables = of.variables()
        self._logs = logs
        self._numbers = itertools.count()
        self._started: list[Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started:
            process.kill()
            process.wait(STOP_SECONDS)

    def serve(self, port: int) -> Process:
        """Start a server that only answers calls, on a port."""
        return self._start(["serve", "--workers", "0", "--port", str(port)])

    def work(self, first: Callable[[], None] | None = None, **more: str) -> Process:
        """Start a worker that runs one job at a time."""
        return self._start(WORK, variables=more, first=first)

    def fail(self, point: str, call: int, number: signal.Signals) -> Process:
        """Start a worker that goes as far as a point; `failpoints.py` says which there are."""
        return self._start(WORK, first=partial(send_at, point, call, number))

    def _start(
        self,
        words: Sequence[str],
        *,
        variables: Mapping[str, str] | None = None,
        first: Callable[[], None] | None = None,
    ) -> Process:
        log = self._logs / f"process-{next(self._numbers)}.log"
        log.touch()
        process = Process.start(
            words, err=log, variables=self._variables | dict(variables or {}), first=first
        )
        process.log = log
        self._started.append(process)
        return process


def killed(process: Process) -> None:
    """Wait for a process to end, and see that it did so by SIGKILL."""
    assert process.wait(START_SECONDS) == -signal.SIGKILL, process.log.read_text()
