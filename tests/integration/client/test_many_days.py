"""Three years of windows from the real app, under a small quota of a day. The clock is moved."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx2
import polars as pl
import pytest
from tests.support.instance import Clock, Instance
from tests.support.loads import load_activities

from outhaul.accounts.services import Credentials, create_service
from outhaul.catalog.store import Catalog
from outhaul.client import (
    Flight,
    Forecast,
    Pace,
    Patience,
    Quota,
    Session,
    Task,
    Watch,
    download,
    told_limits,
)
from outhaul.database.engine import Database
from outhaul.jobs.queue import Queue
from outhaul.lake.snapshot import Lake
from outhaul.protocol.windows import Window, split
from outhaul.settings import Settings
from outhaul.worker import Worker

FIRST_DAY = datetime(2023, 1, 1, tzinfo=UTC)
DAYS = 1_096
NOW = datetime(2026, 3, 5, 15, tzinfo=UTC)
"""A day of 23 hours follows soon."""
RECORD_BYTES = 10_000
JOB_SECONDS = 300.0
PACE = Pace(poll_seconds=100)


class Endpoint:
    """The app and its worker. Both have the clock that the client's pauses move on."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings.model_validate(
            {"data": folder, "limits": "marketo", "limit_overrides": {"daily_export_mb": 1}}
        )
        self.credentials = _fill(self.settings)
        self.clock = Clock(NOW)
        self.instance = Instance(self.settings, self.clock, {"etl": self.credentials}, None)
        self.worker = Worker(self.settings, clock=self.clock)
        self.codes: list[str] = []
        """The codes of all errors that were answered."""
        self._busy_until = NOW

    def session(self) -> Session:
        return Session(
            "http://testserver",
            self.credentials.client_id,
            self.credentials.client_secret,
            transport=httpx2.MockTransport(self._answer),
            patience=Patience(clock=self.clock.timer, sleep=self._sleep),
        )

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        answer = self.instance.client.request(
            request.method,
            request.url.raw_path.decode(),
            headers=request.headers,
            content=request.read(),
        )
        if "/json" in answer.headers.get("content-type", ""):
            self.codes += [error["code"] for error in answer.json().get("errors", ())]
        headers = {
            name: value
            for name, value in answer.headers.items()
            if name not in ("content-encoding", "content-length", "date")
        }
        headers["Date"] = format_datetime(self.clock().replace(microsecond=0), usegmt=True)
        return httpx2.Response(answer.status_code, headers=headers, content=answer.content)

    def _sleep(self, seconds: float) -> None:
        """Let time pass, and let the worker do a job in each `JOB_SECONDS`."""
        self.clock.advance(seconds=seconds)
        if self.clock() < self._busy_until:
            return
        queue = Queue(self.instance.database, self.settings, "bench")
        if (job := queue.claim(self.clock())) is not None:
            self.worker._run(queue, job)
            self._busy_until = self.clock() + timedelta(seconds=JOB_SECONDS)


def _fill(settings: Settings) -> Credentials:
    """Load an activity a day, each with a long text, into a new data folder."""
    database = Database(settings.database_url)
    database.migrate()
    credentials = create_service(
        database, "nightly", email="etl@example.com", permissions=["Read-Only Activity"], moment=NOW
    )
    number = pl.int_range(DAYS)
    assert settings.data is not None
    path = settings.data / "activities.parquet"
    pl.select(
        marketoGUID=number.cast(pl.String).str.zfill(9),
        leadId=number + 1,
        activityDate=pl.lit(FIRST_DAY) + pl.duration(days=number, hours=12),
        activityTypeId=pl.lit(1),
        attributes=pl.lit(json.dumps({"Text": "x" * RECORD_BYTES})),
    ).write_parquet(path)
    lake = Lake(settings.lake_folder / "default")
    load_activities(lake, Catalog(database, "default"), path, NOW, lambda _: None)
    database.close()
    return credentials


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    made = Endpoint(tmp_path_factory.mktemp("many-days"))
    with made.instance.running():
        yield made
    made.worker.close()


class Forecasts(Watch):
    def __init__(self) -> None:
        self.all: list[Forecast] = []

    def planned(self, forecast: Forecast) -> None:
        self.all.append(forecast)


def _task(window: Window) -> Task:
    request: dict[str, Any] = {"filter": {"createdAt": window.as_filter()}}
    return Task(
        kind_path="activities",
        request=request,
        name=f"activities {window}",
        family="activities",
        span=window.seconds,
        key=window,
    )


def test_three_years_arrive_and_the_forecast_was_right(endpoint: Endpoint, tmp_path: Path) -> None:
    whole = Window(FIRST_DAY, FIRST_DAY + timedelta(days=DAYS) - timedelta(seconds=1))
    watch = Forecasts()
    texts: dict[Window, bytes] = {}
    with endpoint.session() as session:
        limits = told_limits(session)
        assert (limits.is_told, limits.daily_bytes, limits.queued_jobs) == (True, 1_000_000, 10)
        session.pace(limits.calls_in_20_seconds)
        windows = split(whole, timedelta(days=limits.date_range_days or 31))
        tasks = [_task(window) for window in windows]
        quota = Quota(session, ["activities"], limits.daily_bytes)
        with Flight(session, quota=quota, pace=PACE, watch=watch, wait=True) as flight:
            for landed in flight.landed(tasks):
                assert landed.error is None
                assert landed.job is not None
                path = tmp_path / f"{landed.task.key.start_name}.csv"
                download(session, landed.path, landed.job, path)
                texts[landed.task.key] = path.read_bytes()
    assert sorted(texts) == windows
    lines = [line for window in windows for line in texts[window].splitlines()[1:]]
    assert [int(line.split(b",")[0]) for line in lines] == list(range(DAYS))
    assert endpoint.codes == []

    arrived = endpoint.clock()
    assert arrived - NOW > timedelta(days=10)
    assert watch.all[0].unknown == len(tasks)
    assert watch.all[0].done_at is None
    for told in watch.all[1:]:
        assert told.done_at is not None
        assert abs(told.done_at - arrived) < timedelta(days=1)

    _again(endpoint, tasks)


def _again(endpoint: Endpoint, tasks: list[Task]) -> None:
    """Before a second run begins, its forecast is made from the files of the first."""
    watch = Forecasts()
    with (
        endpoint.session() as session,
        Flight(session, quota=Quota(session, ["activities"], 1_000_000), watch=watch) as flight,
    ):
        next(flight.landed(tasks))
    told = watch.all[0]
    assert told.unknown == len(tasks)
    assert told.days is not None
    assert abs(told.days - 12) <= 1
    assert endpoint.codes == []
