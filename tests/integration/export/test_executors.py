"""What every executor does: one suite, over each of them."""

import hashlib
import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.executors import LONG, PROCESSORS, SHORT, Bench, make_lake, plan_of, rows
from tests.support.waiting import PATIENCE

from outhaul.catalog.entries import parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.export.executor import Executor, StoppedError
from outhaul.export.local import LocalExecutor
from outhaul.export.plan import make_plan
from outhaul.export.ray.executor import RayExecutor
from outhaul.export.render import render_part
from outhaul.export.request import read_request
from outhaul.kinds import find_kind
from outhaul.kinds.filter import Context
from outhaul.lake.snapshot import Lake
from outhaul.sample.loading import load_sample
from outhaul.settings import Limits, Settings
from outhaul.storage.folder import FolderStore
from outhaul.storage.manifest import Part


@pytest.fixture(scope="module", params=["local", "ray"])
def bench(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp(request.param)
    settings = Settings(data=folder)
    executor: Executor
    if request.param == "local":
        executor = LocalExecutor(FolderStore(settings.files_folder), PROCESSORS)
    else:
        nodes = request.getfixturevalue("ray_nodes")
        nodes.add()
        executor = RayExecutor(Settings(data=folder, executor="ray", ray_address=nodes.address))
    yield Bench(executor, settings, make_lake(settings))
    executor.close()


def test_the_file_is_its_parts_in_order_however_long_each_of_them_takes(bench: Bench) -> None:
    times = [60, *[SHORT] * 20, 20, SHORT]
    manifest = bench.export(plan_of(*times), "order/a")
    wanted = rows(*times)
    assert bench.content(manifest) == wanted
    assert manifest.checksum == hashlib.sha256(wanted).hexdigest()
    assert (manifest.size, manifest.records) == (len(wanted), 1_000 * sum(times))
    assert [part.number for part in manifest.parts] == list(range(len(times)))
    assert len({part.key for part in manifest.parts}) == len(times)
    assert all(part.key.startswith("order/a/") for part in manifest.parts)


def test_without_parts_the_header_is_the_file(bench: Bench) -> None:
    manifest = bench.export(plan_of(), "header/a")
    assert (manifest.records, bench.content(manifest)) == (0, b"id,text\n")


def test_a_job_is_not_rendered_far_ahead_of_who_reads_it(bench: Bench) -> None:
    def give_up(part: Part) -> None:
        raise ZeroDivisionError(part.number)

    with pytest.raises(ZeroDivisionError):
        bench.export(plan_of(*[SHORT] * 50), "ahead/a", publish=give_up)
    assert 1 <= len(bench.on_disk("ahead/a")) <= 2 * PROCESSORS + 1


def test_stop_is_obeyed_and_nothing_is_written_after_it(bench: Bench) -> None:
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(bench.export, plan_of(*[LONG] * 9), "stop/a", stop)
        bench.wait_until_busy("stop/a")
        stop.set()
        assert isinstance(running.exception(PATIENCE), StoppedError)
    bench.check_unchanged("stop/a", bench.on_disk("stop/a"))


def test_a_job_that_is_stopped_before_it_begins_ends(bench: Bench) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        bench.export(plan_of(SHORT, SHORT), "never/a", stop)
    bench.check_unchanged("never/a", bench.on_disk("never/a"))


def test_closing_waits_until_nothing_is_written(bench: Bench) -> None:
    plan, stop = plan_of(SHORT, 800, 800, 800), threading.Event()
    parts = [
        bench.executor.submit(plan.task(number, f"close/a/{number:06}"), bench.lake, stop)
        for number in range(plan.part_count)
    ]
    parts[0].result()
    bench.executor.cancel(parts)
    bench.check_unchanged("close/a", bench.on_disk("close/a"))


def test_an_error_in_a_part_surfaces_when_the_others_have_ended(bench: Bench) -> None:
    plan = plan_of(SHORT, SHORT, LONG, LONG)
    plan.reading.parts[1].partitions[0][0] = "missing.parquet"  # type: ignore[index]
    with pytest.raises(Exception, match=r"missing\.parquet"):
        bench.export(plan, "error/a")
    bench.check_unchanged("error/a", bench.on_disk("error/a"))


def test_jobs_side_by_side_do_not_mix(bench: Bench) -> None:
    plan = plan_of(*[SHORT, 3] * 6)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda n: bench.export(plan, f"many/{n}"), range(4)))
    assert {manifest.checksum for manifest in made} == {
        hashlib.sha256(rows(*[SHORT, 3] * 6)).hexdigest()
    }
    assert len({part.key for manifest in made for part in manifest.parts}) == 48


# The sample

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAYS = {"startAt": "2026-01-10T00:00:00Z", "endAt": "2026-01-20T23:59:59Z"}
EITHER = [
    {"activity": 10, "atLeast": 2, "inPast": {"amount": 30, "unit": "days"}},
    {"list": 1001, "operator": "member"},
]
BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "a smart list": ("leads", {"fields": ["id", "email"], "filter": {"smartListId": 9001}}),
    "a static list": ("leads", {"fields": ["id", "createdAt"], "filter": {"staticListId": 1001}}),
    "activities": ("activities", {"filter": {"createdAt": DAYS, "activityTypeIds": [1, 2, 10]}}),
    "fields of leads": (
        "program-members",
        {"fields": ["leadId", "statusName", "email"], "filter": {"programIds": [1006, 1002]}},
    ),
}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lake, Context]]:
    settings = Settings(data=tmp_path_factory.mktemp("sample"))
    database = Database(settings.database_url)
    database.migrate()
    load_sample(database, settings, MOMENT, lambda *_: None)
    catalog = Catalog(database, "default")
    smart_list = {"id": 9001, "name": "Keen", "rules": {"any": EITHER}}
    catalog.store(parse_catalog({"smartLists": [smart_list]}))
    lake = Lake(settings.lake_folder / "default")
    yield lake, Context(catalog=catalog, limits=Limits(), moment=MOMENT)
    database.close()


@pytest.mark.parametrize("what", BODIES)
def test_whatever_a_plan_asks_for_has_the_same_bytes(
    bench: Bench, sample: tuple[Lake, Context], what: str
) -> None:
    lake, context = sample
    name, body = BODIES[what]
    kind = find_kind(name, context)
    plan = make_plan(kind, read_request(kind, body, context), context, lake, 500)
    alone = io.BytesIO()
    records = sum(
        render_part(plan.task(number, ""), lake, alone, lambda: None)
        for number in range(len(plan.reading.parts))
    )
    assert records > 100
    manifest = replace(bench, lake=lake).export(plan, f"{what}/a")
    assert bench.content(manifest) == alone.getvalue()
    assert manifest.records == records
