"""An instance in this process, and a mirror of it: both by one clock, which only pauses move."""

import json
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import polars as pl
from tests.support.instance import NOW, USERS, WINDOW, Clock, Instance
from tests.support.template import Template

from outhaul.accounts.services import create_service
from outhaul.catalog.entries import parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.client import Backoff, Patience, Session
from outhaul.database.engine import Database
from outhaul.jobs.queue import Queue
from outhaul.kinds.registry import REGISTRY
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import Table
from outhaul.loading.loads import load_file
from outhaul.mirror.engine import Mirror
from outhaul.mirror.options import Options
from outhaul.mirror.state import State
from outhaul.mirror.watch import MirrorWatch, Summary
from outhaul.settings import Settings
from outhaul.smart_lists.stored import store_entries
from outhaul.worker import Worker

MIRROR = (*USERS["etl"], "Read-Only Assets", "Read-Only Campaign")
"""What a mirror may read."""

MIRRORS = {
    "mirror": MIRROR,
    **{
        f"without {area}": tuple(name for name in MIRROR if not name.endswith(f" {area}"))
        for area in ("Lead", "Activity", "Custom Object")
    },
}
"""The users of mirrors, and what they may read."""

Seen = tuple[str, str, str]
"""A call: its method, its path, and the error code of the answer, or an empty text."""


class Side:
    """A data folder: its records can be changed, and it can be served."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        limits: str,
        database_url: str | None = None,
        **single: Any,
    ) -> None:
        self.settings = Settings.model_validate(
            {
                "data": folder,
                **({} if database_url is None else {"database_url": database_url}),
                "listen_seconds": 3_600,
                "part_threads": 2,
                "poll_seconds": 0.005,
                "limits": limits,
                "limit_overrides": single,
            }
        )
        self.clock = clock
        folder.mkdir(exist_ok=True)
        self.database = Database(self.settings.database_url)
        self.database.migrate()
        self.catalog = Catalog(self.database, "default")
        self.lake = Lake(self.settings.lake_folder / "default")

    def load(
        self, name: str, records: Iterable[Mapping[str, Any]], type_name: str | None = None
    ) -> None:
        """Load records of a kind now."""
        path = self.settings.lake_folder.parent / "records.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
        (kind,) = (each for each in REGISTRY.all() if each.name == name)
        loading = kind.loading_of(self.catalog, type_name)
        infer = loading.inferring is not None
        load_file(loading, self.lake, self.catalog, path, self.clock(), lambda _: None, infer=infer)
        path.unlink()

    def store(self, catalog: Mapping[str, Any]) -> None:
        """Load a catalog file."""
        store_entries(self.catalog, parse_catalog(catalog))

    @contextmanager
    def served(self) -> Iterator["Endpoint"]:
        """Serve the folder in this process, to all users of the template."""
        users = {
            name: create_service(
                self.database,
                f"{name} of {uuid.uuid4()}",
                email=f"{name}@example.com",
                permissions=permissions,
                moment=self.clock(),
            )
            for name, permissions in {**USERS, **MIRRORS}.items()
        }
        instance = Instance(self.settings, self.clock, users, None)
        with instance.running():
            yield Endpoint(instance)


class Endpoint:
    """A served folder. Its jobs run whenever a client pauses."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.clock = instance.clock
        self.seen: list[Seen] = []
        self.before: Callable[[httpx2.Request], None] = lambda _request: None
        """Called before each call; may raise, as a broken connection or a kill does."""
        self._worker = Worker(instance.settings, clock=instance.clock)
        self._queue = Queue(instance.database, instance.settings, "worker")

    def close(self) -> None:
        self._worker.close()

    def session(self, user: str = "mirror") -> Session:
        """Return a session whose pauses move the clock, and let the worker run."""
        known = self.instance.credentials[user]
        return Session(
            "http://a.example",
            known.client_id,
            known.client_secret,
            transport=httpx2.MockTransport(self._answer),
            patience=Patience(clock=self.clock.timer, sleep=self._pause),
            backoff=Backoff(attempts=4),
        )

    def file(self, kind: str, **request: Any) -> bytes:
        """Export records, and return the file."""
        self.clock.advance(seconds=30)  # past the limit on calls in 20 seconds
        job = self.instance.created(kind, **request)
        answer = self.instance.enqueue(job, kind).json()
        assert answer["success"], answer
        self.work()
        status = self.instance.status(job, kind).json()["result"][0]
        assert status["status"] == "Completed", status
        return self.instance.file(job, kind).content

    def work(self) -> None:
        """Run all jobs that can run."""
        while (job := self._queue.claim(self.clock())) is not None:
            self._worker._run(self._queue, job)

    def _pause(self, seconds: float) -> None:
        self.clock.advance(seconds=seconds)
        self.work()

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.before(request)
        found = self.instance.client.request(
            request.method,
            request.url.raw_path.decode(),
            headers=dict(request.headers),
            content=request.read(),
        )
        code = ""
        if "json" in found.headers.get("content-type", "") and found.content:
            errors = found.json().get("errors") or [{"code": ""}]
            code = errors[0]["code"]
        self.seen.append((request.method, request.url.path, code))
        headers = {
            name: value for name, value in found.headers.items() if name != "content-encoding"
        }
        headers["date"] = self.clock().strftime("%a, %d %b %Y %H:%M:%S GMT")
        return httpx2.Response(found.status_code, headers=headers, content=found.content)


def copied(template: Template, folder: Path, clock: Clock, **limits: Any) -> Side:
    """Return a copy of the template's folder, whose records a test may change."""
    shutil.copytree(template.folder, folder)
    name = limits.pop("limits", "marketo")
    return Side(folder, clock, name, **limits)


def mirror(
    endpoint: Endpoint,
    side: Side,
    watch: MirrorWatch | None = None,
    *,
    user: str = "mirror",
    **options: Any,
) -> Summary:
    """Run a mirror of an endpoint once."""
    endpoint.clock.advance(seconds=30)  # past the limit on calls in 20 seconds
    with endpoint.session(user) as session:
        return Mirror(
            session=session,
            lake=side.lake,
            catalog=side.catalog,
            state=State(side.database, "default"),
            options=Options(**options),
            watch=watch or MirrorWatch(),
            clock=side.clock,
        ).run()


def activity(
    guid: str, lead: int, of: int = 1, *, days: float = 0, **further: Any
) -> dict[str, Any]:
    moment = NOW - timedelta(days=days)
    return {
        "marketoGUID": guid,
        "leadId": lead,
        "activityDate": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "activityTypeId": of,
        "attributes": {"Webpage URL": "/new"},
        **further,
    }


def again(endpoint: Endpoint, copy: Side) -> Summary:
    """Run the mirror a day later."""
    endpoint.clock.advance(days=1)
    return mirror(endpoint, copy)


def records(side: Side, table: Table) -> pl.DataFrame:
    snapshot = side.lake.snapshot(table)
    assert snapshot is not None
    return snapshot.scan(snapshot.files).collect()


MIDDLE = {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-10T23:59:59Z"}


def requests(endpoint: Endpoint) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Return requests of every kind, by name."""
    fields = [entry["rest"]["name"] for entry in _result(endpoint, "/rest/v1/leads/describe.json")]
    boat = _result(endpoint, "/rest/v1/customobjects/boat_c/describe.json")[0]
    recent = {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-31T00:00:00Z"}
    return {
        "leads": ("leads", {"fields": fields, "filter": {"createdAt": WINDOW}}),
        "leads of a list": ("leads", {"filter": {"staticListId": 1001}}),
        "activities": ("activities", {"filter": {"createdAt": WINDOW}}),
        "activities of types": (
            "activities",
            {"filter": {"createdAt": MIDDLE, "activityTypeIds": [1, 37, 104]}},
        ),
        "members": (
            "program/members",
            {"fields": ["leadId", "statusName", "email"], "filter": {"programId": 1004}},
        ),
        "objects": (
            "customobjects/boat_c",
            {
                "fields": [field["name"] for field in boat["fields"]],
                "filter": {"updatedAt": recent},
            },
        ),
    }


def _result(endpoint: Endpoint, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = endpoint.instance.get(path).json()["result"]
    return found


def assert_same(endpoint: Endpoint, copy: Side) -> None:
    """Assert that the original and its copy export the same, and describe themselves alike."""
    with copy.served() as other:
        wanted = requests(endpoint)
        assert wanted == requests(other)
        for name, (kind, request) in wanted.items():
            assert endpoint.file(kind, **request) == other.file(kind, **request), name
        other.close()
