"""Whatever users, workers and the clock do, and in whichever order, the rules of jobs hold."""

import hashlib
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx2
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from starlette.testclient import TestClient
from tests.support import postgres
from tests.support.examples import examples
from tests.support.loads import load_activities, load_leads

from outhaul.accounts.services import Credentials, create_service
from outhaul.api import create_app
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.database.schema import export_job
from outhaul.jobs.job import TRANSITIONS, Job
from outhaul.jobs.queue import MAX_ATTEMPTS, LeaseLostError, Queue
from outhaul.lake.snapshot import Lake
from outhaul.protocol.dialects import MEDIA_TYPE
from outhaul.protocol.states import State
from outhaul.settings import Settings
from outhaul.storage.folder import FolderStore
from outhaul.worker import Worker

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
LEASE = timedelta(seconds=30)
USERS = ("etl", "crm")
RECORDS = 30
STRANGERS = st.sampled_from([False, False, False, True])
"""Whether a call about a job comes from the other user."""
WINDOW = {"createdAt": {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-31T23:59:59Z"}}
BODIES: dict[str, dict[str, Any]] = {
    "leads": {"filter": WINDOW, "fields": ["id", "email"]},
    "activities": {"filter": WINDOW, "fields": ["marketoGUID", "activityDate"], "format": "TSV"},
}


def moment(n: int) -> str:
    return f"2026-01-{10 + n // 10}T{n % 10:02}:00:00Z"


FILES = {
    "leads": "".join(["id,email\n", *(f"{n},{n}@x.example\n" for n in range(1, RECORDS + 1))]),
    "activities": "".join(
        ["marketoGUID\tactivityDate\n", *(f"{n:03}\t{moment(n)}\n" for n in range(RECORDS))]
    ),
}
"""What every file must be; a wrong order, a missing part or one too many would show."""


@dataclass(frozen=True)
class Template:
    """A data folder to copy, and what the users call with."""

    folder: Path
    credentials: dict[str, Credentials]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    folder = tmp_path_factory.mktemp("template")
    setup = Settings(data=folder)
    database = Database(setup.database_url)
    database.migrate()
    permissions = ["Read-Only Lead", "Read-Only Activity"]
    credentials = {
        name: create_service(
            database, name, email=f"{name}@example.com", permissions=permissions, moment=NOON
        )
        for name in USERS
    }
    lake = Lake(setup.lake_folder / "default")
    leads = [
        {"id": n, "email": f"{n}@x.example", "createdAt": moment(n)} for n in range(1, RECORDS + 1)
    ]
    activities = [
        {"marketoGUID": f"{n:03}", "leadId": 1, "activityDate": moment(n), "activityTypeId": 1}
        for n in range(RECORDS)
    ]
    for load, records in ((load_leads, leads), (load_activities, activities)):
        path = folder / "records.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
        load(lake, Catalog(database, "default"), path, NOON, lambda _: None)
        path.unlink()
    database.close()
    return Template(folder, credentials)


Copy = Callable[[Path], AbstractContextManager[str]]


@dataclass
class Known:
    """What a user knows of a job of its own."""

    id: str
    user: str
    kind: str


@dataclass
class Claim:
    """A job in the hands of a worker, which may have lost it."""

    queue: Queue
    job: Job
    over: bool = False


class Service(RuleBasedStateMachine):
    """Two users of one subscription, any number of workers, and a clock."""

    def __init__(self, template: Template, copy: Copy) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.now = NOON
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        shutil.copytree(template.folder, folder, dirs_exist_ok=True)
        self.settings = Settings(
            data=folder,
            database_url=self.stack.enter_context(copy(folder)),
            workers=1,
            part_threads=2,
            part_records=7,
            lease_seconds=LEASE.total_seconds(),
            limit_overrides={"token_seconds": 2**31 - 1},
        )
        app = create_app(self.settings)
        app.state.service.clock = lambda: self.now
        self.stack.callback(app.state.service.close)  # when no call can come any more
        self.client = self.stack.enter_context(TestClient(app))
        self.database = Database(self.settings.database_url)
        self.stack.callback(self.database.close)
        self.files = FolderStore(self.settings.files_folder)
        self.worker = Worker(self.settings, clock=lambda: self.now)
        self.stack.callback(self.worker.close)
        self.tokens = {
            name: self.client.get(
                "/identity/oauth/token",
                params={
                    "grant_type": "client_credentials",
                    "client_id": one.client_id,
                    "client_secret": one.client_secret,
                },
            ).json()["access_token"]
            for name, one in template.credentials.items()
        }
        self.known: dict[str, Known] = {}
        self.states: dict[str, State] = {}
        self.looked_at: set[str] = set()
        self.workers = 0

    def teardown(self) -> None:
        self.stack.close()

    # Jobs, as their users see them

    jobs = Bundle("jobs")
    claims = Bundle("claims")

    def call(self, method: str, user: str, job: Known, action: str) -> httpx2.Response:
        return self.client.request(
            method,
            f"/bulk/v1/{job.kind}/export/{job.id}/{action}.json",
            headers={"Authorization": f"Bearer {self.tokens[user]}"},
        )

    def caller(self, job: Known, *, stranger: bool) -> str:
        return next(name for name in USERS if (name != job.user) == stranger)

    def answer(self, method: str, user: str, job: Known, action: str) -> str:
        """Make a call; return the state that it answers, or the code of its error."""
        found = self.call(method, user, job, action)
        assert found.status_code == 200
        content = found.json()
        if content["success"]:
            assert content["result"][0]["exportId"] == job.id
            return str(content["result"][0]["status"])
        return str(content["errors"][0]["code"])

    def row(self, job: Known) -> sa.Row[Any]:
        with self.database.read() as connection:
            found = sa.select(export_job).where(export_job.c.id == job.id)
            return connection.execute(found).one()

    def visible(self, user: str, job: Known) -> bool:
        """Whether the job is there for a user: it is its own, and did not end long ago."""
        ended = self.row(job).finished_at
        return user == job.user and (ended is None or self.now - ended <= timedelta(days=30))

    @rule(target=jobs, user=st.sampled_from(USERS), kind=st.sampled_from(sorted(BODIES)))
    def create(self, user: str, kind: str) -> Known:
        return self.make(user, kind)

    def make(self, user: str, kind: str) -> Known:
        answer = self.client.post(
            f"/bulk/v1/{kind}/export/create.json",
            json=BODIES[kind],
            headers={"Authorization": f"Bearer {self.tokens[user]}"},
        ).json()
        (result,) = answer["result"]
        assert result["status"] == "Created"
        job = Known(id=result["exportId"], user=user, kind=kind)
        self.known[job.id] = job
        return job

    @initialize(target=jobs)
    def crowd(self) -> Any:
        """Begin with enough jobs for the queue to be full."""
        made = [self.make(USERS[n % 2], sorted(BODIES)[n % 3 % 2]) for n in range(12)]
        for job in made[:8]:
            self.enqueue(job, stranger=False)
        return multiple(*made)

    @rule(stranger=STRANGERS, job=jobs)
    def enqueue(self, job: Known, *, stranger: bool) -> None:
        user = self.caller(job, stranger=stranger)
        state, visible = State(self.row(job).state), self.visible(user, job)
        waiting = sum(s in (State.QUEUED, State.PROCESSING) for s in self.now_in().values())
        answer = self.answer("POST", user, job, "enqueue")
        if not visible or state is State.CANCELLED:
            assert answer == "1003"
        elif state is not State.CREATED or waiting >= 10:
            assert answer == "1029"
        else:
            assert answer == "Queued"

    @rule(stranger=STRANGERS, job=jobs)
    def cancel(self, job: Known, *, stranger: bool) -> None:
        user = self.caller(job, stranger=stranger)
        state, visible = State(self.row(job).state), self.visible(user, job)
        answer = self.answer("POST", user, job, "cancel")
        if not visible or state in (State.COMPLETED, State.FAILED):
            assert answer == "1003"
        else:
            assert answer == "Cancelled"

    @rule(user=st.sampled_from(USERS), job=jobs)
    def status(self, user: str, job: Known) -> None:
        expected = self.row(job).state if self.visible(user, job) else "1003"
        assert self.answer("GET", user, job, "status") == expected

    @rule(user=st.sampled_from(USERS), job=jobs)
    def file(self, user: str, job: Known) -> None:
        row = self.row(job)
        kept = row.state == "Completed" and self.now - row.finished_at < timedelta(days=7)
        answer = self.call("GET", user, job, "file")
        if user == job.user and kept:
            assert (answer.status_code, answer.text) == (200, FILES[job.kind])
        else:
            assert answer.status_code == 404
            assert FILES[job.kind] not in answer.text

    @rule(user=st.sampled_from(USERS), kind=st.sampled_from(sorted(BODIES)))
    def list(self, user: str, kind: str) -> None:
        listed = self.client.get(
            f"/bulk/v1/{kind}/export.json",
            headers={"Authorization": f"Bearer {self.tokens[user]}"},
        ).json()["result"]
        expected = {
            job.id: self.row(job).state
            for job in self.known.values()
            if job.kind == kind
            and self.visible(user, job)
            and self.now - self.row(job).created_at <= timedelta(days=7)
        }
        assert {one["exportId"]: one["status"] for one in listed} == expected

    # Workers and the clock

    @rule(target=claims, after=st.sampled_from([timedelta(), timedelta(), LEASE]))
    def claim(self, after: timedelta) -> Any:
        """A worker looks for a job, and begins with it if there is one."""
        self.now += after
        self.workers += 1
        queue = Queue(self.database, self.settings, f"worker {self.workers}")
        job = queue.claim(self.now)
        if job is None:
            busy = Counter(self.now_in().values())
            assert not busy[State.QUEUED] or busy[State.PROCESSING] >= 2
            return multiple()
        assert 1 <= job.attempts <= MAX_ATTEMPTS
        return Claim(queue, job)

    @rule(claim=claims)
    def finish(self, claim: Claim) -> None:
        """A worker comes to the end of a job, which may not be its own any more."""
        mine = self.holds(claim)
        if not claim.over:
            claim.over = True
            self.worker._run(claim.queue, claim.job)
            assert (self.row(self.known[claim.job.id]).state == "Completed") or not mine

    @rule(claim=claims)
    def stumble(self, claim: Claim) -> None:
        """An attempt fails, when parts of the file are written already."""
        mine = self.holds(claim)
        if claim.over:
            return
        claim.over = True
        with patch.object(Queue, "publish", side_effect=OSError("the disk is full")):
            self.worker._run(claim.queue, claim.job)
        row = self.row(self.known[claim.job.id])
        if mine and claim.job.attempts == MAX_ATTEMPTS:
            assert row.state == "Failed"
            assert row.error_message.endswith("OSError: the disk is full")
        elif mine:
            assert row.state == "Processing"

    @rule(claim=claims)
    def die(self, claim: Claim) -> None:
        """A worker is killed; what it wrote stays for others to clear away."""
        if self.holds(claim) and not claim.over:
            with self.files.writer(
                f"{claim.job.id}/{id(claim)}/000000", media_type=MEDIA_TYPE
            ) as target:
                target.write(b"of no use to anybody")
        claim.over = True

    @rule(claim=claims)
    def renew(self, claim: Claim) -> None:
        mine = self.holds(claim)
        try:
            claim.queue.renew(claim.job.id, self.now)
        except LeaseLostError:
            assert not mine
        else:
            assert mine

    @rule(claim=claims)
    def hand_back(self, claim: Claim) -> None:
        """A worker is stopped."""
        if self.holds(claim):
            claim.over = True
            claim.queue.release(claim.job, counts=False)

    @rule(by=st.sampled_from([timedelta(seconds=1), LEASE / 2, timedelta(hours=1)]))
    def wait(self, by: timedelta) -> None:
        self.now += by

    @precondition(lambda self: any(state.ended for state in self.states.values()))
    @rule(days=st.sampled_from([3, 7, 31]))
    def wait_days(self, days: int) -> None:
        self.now += timedelta(days=days)

    def holds(self, claim: Claim) -> bool:
        row = self.row(self.known[claim.job.id])
        return bool(row.state == "Processing" and row.lease_owner == claim.queue._worker)

    def now_in(self) -> dict[str, State]:
        with self.database.read() as connection:
            rows = connection.execute(sa.select(export_job.c.id, export_job.c.state))
            return {row.id: State(row.state) for row in rows}

    # What always holds

    @invariant()
    def jobs_move_along_the_transitions(self) -> None:
        states = self.now_in()
        assert set(states) == set(self.known)
        for job, state in states.items():
            before = self.states.get(job)
            if before is not None and state is not before:
                # Between two looks at it a job takes one step.
                assert state in TRANSITIONS[before]
        self.states = states

    @invariant()
    def limits_are_kept(self) -> None:
        count = Counter(self.now_in().values())
        assert count[State.PROCESSING] <= 2
        assert count[State.QUEUED] + count[State.PROCESSING] <= 10

    @invariant()
    def completed_files_are_whole_and_other_parts_are_gone(self) -> None:
        for job, state in self.now_in().items():
            if state is State.COMPLETED and job not in self.looked_at:
                self.looked_at.add(job)
                self.look_at(self.known[job])

    def look_at(self, job: Known) -> None:
        """Fetch a file that was just completed, and hold it against what the job says of it."""
        (result,) = self.call("GET", job.user, job, "status").json()["result"]
        content = self.call("GET", job.user, job, "file").content
        assert content.decode() == FILES[job.kind]
        assert result["fileSize"] == len(content)
        assert result["numberOfRecords"] == RECORDS == content.count(b"\n") - 1
        assert result["fileChecksum"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
        half = self.client.get(
            f"/bulk/v1/{job.kind}/export/{job.id}/file.json",
            headers={
                "Authorization": f"Bearer {self.tokens[job.user]}",
                "Range": f"bytes={len(content) // 2}-",
            },
        )
        assert (half.status_code, half.content) == (206, content[len(content) // 2 :])
        folder = self.settings.files_folder / job.id
        assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) == len(
            content
        )


@pytest.fixture(params=["sqlite", "postgresql"])
def copy(request: pytest.FixtureRequest, template: Template) -> Iterator[Copy]:
    """Return what opens a copy of the template's state, beside the copy of its folder."""
    if request.param == "sqlite":
        yield lambda folder: nullcontext(Settings(data=folder).database_url)
        return
    server: postgres.Server = request.getfixturevalue("postgresql")
    full = server.create()
    postgres.transfer(Settings(data=template.folder).database_url, full)

    @contextmanager
    def copied(_: Path) -> Iterator[str]:
        url = server.copy(full)
        yield url
        server.drop(url)

    yield copied
    server.drop(full)


def test_rules_hold_in_any_order(template: Template, copy: Copy) -> None:
    class Machine(Service):
        def __init__(self) -> None:
            super().__init__(template, copy)

    run_state_machine_as_test(
        Machine,
        settings=examples(
            6,
            stateful_step_count=50,
            # Making a failure shorter would take minutes; what led to it is printed anyway.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
