"""What every executor does: one suite, over each of them."""

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.ray_cluster import RayNodes

from outhaul.catalog.entries import parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.conformance.executors import PROCESSORS, Bench, ExecutorSuite, make_lake
from outhaul.database.engine import Database
from outhaul.export.local import LocalExecutor
from outhaul.export.plan import make_plan
from outhaul.export.ray.executor import RayExecutor
from outhaul.export.render import render_part
from outhaul.export.request import read_request
from outhaul.kinds import find_kind
from outhaul.kinds.filter import Context
from outhaul.lake.snapshot import Lake
from outhaul.limits import Limits
from outhaul.sample.loading import load_sample
from outhaul.settings import Settings
from outhaul.storage.folder import FolderStore

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


class OverTheSample(ExecutorSuite):
    """The suite, and readings that only the sample has: smart lists, static lists, joins."""

    @pytest.mark.parametrize("what", BODIES)
    def test_whatever_a_plan_asks_for_has_the_same_bytes(
        self, bench: Bench, sample: tuple[Lake, Context], what: str
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


class TestLocal(OverTheSample):
    @pytest.fixture(scope="class")
    @classmethod
    def bench(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
        settings = Settings(data=tmp_path_factory.mktemp("local"))
        executor = LocalExecutor(FolderStore(settings.files_folder), PROCESSORS)
        yield Bench(executor, settings, make_lake(settings))
        executor.close()


class TestRay(OverTheSample):
    @pytest.fixture(scope="class")
    @classmethod
    def bench(
        cls, ray_nodes: RayNodes, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Bench]:
        settings = Settings(data=tmp_path_factory.mktemp("ray"))
        ray_nodes.add()
        executor = RayExecutor(
            settings.model_copy(update={"executor": "ray", "ray_address": ray_nodes.address})
        )
        yield Bench(executor, settings, make_lake(settings))
        executor.close()
