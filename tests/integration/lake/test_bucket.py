"""A lake in a bucket, on a real server: the same as one in a folder, whoever writes to it."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.support.azure import Container
from tests.support.google import GoogleBucket
from tests.support.loads import load_activities, load_leads, load_list_members, load_program_members
from tests.support.merging import merge
from tests.support.object_store import Bucket, wire_to
from tests.support.postgres import Server

from outhaul import sample
from outhaul.catalog.entries import parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.export.plan import Plan, make_plan
from outhaul.export.render import render_part
from outhaul.export.request import read_request
from outhaul.kinds import KINDS, find_kind
from outhaul.kinds.filter import Context
from outhaul.lake.commits import Cursor, TableChangedError, commit, write_file
from outhaul.lake.failures import LakeError
from outhaul.lake.merges import winners_of
from outhaul.lake.snapshot import Lake, check_lakes, location_of_lakes, open_lake
from outhaul.lake.tables import ACTIVITIES, LEADS
from outhaul.lake.upkeep import compact, remove_replaced
from outhaul.limits import Limits
from outhaul.reading.pages import RecordPage, read_page
from outhaul.settings import Settings
from outhaul.storage.location import WITNESS, Location
from outhaul.store_access import S3

NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)
LEAD_COUNT, ACTIVITY_COUNT = 200, 2_000
WINDOW = {"startAt": "2025-12-21T12:00:00Z", "endAt": "2026-01-20T12:00:00Z"}
BODIES: Mapping[str, Mapping[str, Any]] = {
    "leads": {"fields": ["id", "email", "createdAt"], "filter": {"staticListId": 1001}},
    "activities": {"filter": {"createdAt": WINDOW}},
    "program-members": {
        "fields": ["leadId", "statusName", "email"],
        "filter": {"programId": 1004},
    },
}
NUMBERS = count()
Loader = Callable[..., Any]
AnyBucket = Bucket | Container | GoogleBucket


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """A database of SQLite: the lake keeps nothing there, only `hold` is PostgreSQL's."""
    return f"sqlite:///{tmp_path / 'outhaul.db'}"


@pytest.fixture
def catalog(database: Database) -> Catalog:
    found = Catalog(database, "default")
    found.store(parse_catalog(sample.catalog()))
    return found


@pytest.fixture
def lake(every_bucket: AnyBucket) -> Lake:
    return Lake(every_bucket.location / "lake" / "default")


@pytest.fixture
def put(catalog: Catalog, tmp_path: Path) -> Loader:
    def load(run: Loader, lake: Lake, records: Iterable[Mapping[str, Any]]) -> Any:
        path = tmp_path / f"{next(NUMBERS)}.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
        return run(lake, catalog, path, NOW, lambda _: None).merged

    return load


def fill(lake: Lake, put: Loader) -> list[Any]:
    """Load the sample, twice: the second time changes nothing."""
    merged = []
    for _ in range(2):
        merged += [
            put(load_list_members, lake, sample.list_members(LEAD_COUNT)),
            put(
                load_activities,
                lake,
                sample.activities(ACTIVITY_COUNT, until=NOW, lead_count=LEAD_COUNT),
            ),
            put(load_program_members, lake, sample.program_members(LEAD_COUNT, until=NOW)),
            put(load_leads, lake, sample.leads(LEAD_COUNT, until=NOW)),
        ]
    return merged


def planned(kind: str, lake: Lake, catalog: Catalog) -> Plan:
    context = Context(catalog=catalog, limits=Limits(), moment=NOW)
    found = find_kind(kind, context)
    return make_plan(found, read_request(found, BODIES[kind], context), context, lake, 100)


def rendered(plan: Plan, lake: Lake) -> bytes:
    target = BytesIO()
    for number in range(plan.part_count):
        render_part(plan.task(number, ""), lake, target, lambda: None)
    return target.getvalue()


def page(lake: Lake, *, size: int = 1, after: Any = None) -> RecordPage:
    return read_page(lake, LEADS, lake.snapshot(LEADS), [], ["id"], size=size, after=after)


def activity(number: int, kind: int = 1) -> dict[str, Any]:
    return {
        "marketoGUID": f"{number:04}",
        "leadId": number + 1,
        "activityDate": "2026-01-10T00:00:00Z",
        "activityTypeId": kind,
    }


def guids(lake: Lake) -> list[str]:
    snapshot = lake.snapshot(ACTIVITIES)
    assert snapshot is not None
    return sorted(snapshot.scan(snapshot.files).collect()["marketoGUID"])


@dataclass(frozen=True)
class Export:
    parts: int
    content: bytes


@dataclass(frozen=True)
class Filled:
    """What came of loading the sample, and what is exported from it."""

    merged: Sequence[Any]
    exports: Mapping[str, Export]


@pytest.fixture(scope="module")
def in_a_folder() -> list[Filled]:
    """What the first test that fills a lake in a folder has found, for those that follow."""
    return []


def filled(lake: Lake, catalog: Catalog, put: Loader) -> Filled:
    merged = fill(lake, put)
    plans = {kind: planned(kind, lake, catalog) for kind in BODIES}
    exports = {kind: Export(plan.part_count, rendered(plan, lake)) for kind, plan in plans.items()}
    return Filled(merged, exports)


def test_it_is_loaded_and_exported_as_one_in_a_folder(
    lake: Lake, catalog: Catalog, put: Loader, tmp_path: Path, in_a_folder: list[Filled]
) -> None:
    if not in_a_folder:
        in_a_folder.append(filled(Lake(tmp_path / "lake"), catalog, put))
    assert lake.snapshot(LEADS) is None
    assert filled(lake, catalog, put) == in_a_folder[0]
    for kind, export in in_a_folder[0].exports.items():
        assert kind in KINDS
        assert export.parts > 0
        assert len(export.content.splitlines()) > 10


def test_pages_are_read_from_it(lake: Lake, put: Loader) -> None:
    put(load_leads, lake, sample.leads(20, until=NOW))
    first = page(lake, size=15)
    second = page(lake, size=15, after=first.position)
    assert (len(first.records), first.more, len(second.records), second.more) == (
        15,
        True,
        5,
        False,
    )


def test_who_deletes_a_lead_deletes_it_for_good(lake: Lake, put: Loader) -> None:
    put(load_leads, lake, [{"id": 1}, {"id": 2}])
    put(load_activities, lake, [activity(0, kind=37)])
    assert put(load_leads, lake, [{"id": 1}, {"id": 3}]).deleted == 1
    snapshot = lake.snapshot(LEADS)
    assert snapshot is not None
    assert sorted(snapshot.scan(snapshot.files).collect()["id"]) == [2, 3]


def test_who_merges_leads_merges_them_for_good(lake: Lake, put: Loader) -> None:
    put(load_leads, lake, [{"id": 1}, {"id": 2}])
    put(load_activities, lake, [activity(0), merge(2, [1])])
    assert put(load_leads, lake, [{"id": 1}, {"id": 3}]).merged == 1
    snapshot = lake.snapshot(LEADS)
    assert snapshot is not None
    assert sorted(snapshot.scan(snapshot.files).collect()["id"]) == [2, 3]
    assert winners_of(lake, [1, 2]) == {1: 2}


def test_the_commit_of_the_records_stores_the_cursor(lake: Lake, put: Loader) -> None:
    for number, records in enumerate(([{"id": 1}], [{"id": 1}], [{"id": 2}])):
        put(partial(load_leads, cursor=Cursor("leads", number)), lake, records)
        assert lake.cursor(LEADS, "leads") == number
    assert compact(lake, LEADS) == 2
    assert lake.cursor(LEADS, "leads") == 2
    assert lake.cursor(LEADS, "other") is None


def test_it_is_kept_tidy(lake: Lake, put: Loader, every_bucket: AnyBucket) -> None:
    for number in range(3):
        put(load_activities, lake, [activity(number)])
    before = lake.snapshot(ACTIVITIES)
    assert before is not None
    assert compact(lake, ACTIVITIES) == 3
    replaced = [file.path for file in before.files]
    remove_replaced(lake, ACTIVITIES, hours=0, pinned=lambda: replaced[:1])
    stored = {key for key in sorted(every_bucket.keys()) if key.endswith(".parquet")}
    snapshot = lake.snapshot(ACTIVITIES)
    assert snapshot is not None
    kept = [replaced[0], *(file.path for file in snapshot.files)]
    assert stored == {f"lake/default/activities/{path}" for path in kept}
    assert guids(lake) == ["0000", "0001", "0002"]


def test_a_commit_fails_where_another_came_first(lake: Lake, put: Loader) -> None:
    put(load_activities, lake, [activity(1)])
    before = lake.snapshot(ACTIVITIES)
    assert before is not None
    put(load_activities, lake, [activity(2)])
    file = before.files[0]
    written = write_file(before.location, ACTIVITIES, file.partition, before.scan([file]))
    with pytest.raises(TableChangedError):
        commit(lake, ACTIVITIES, version=before.version, adds=[written], removes=[file])
    assert guids(lake) == ["0001", "0002"]


def test_machines_that_load_at_once_wait_for_each_other(
    postgresql: Server, every_bucket: AnyBucket, put: Loader, tmp_path: Path
) -> None:
    url = postgresql.create()
    database = Database(url)
    # Places of their own to lock files in, as on machines of their own: only the database is left.
    settings = Settings(data=tmp_path, lake_url=f"{every_bucket.url}/lake", **every_bucket.settings)

    class Machine(Lake):
        @property
        def folder(self) -> Path:
            return tmp_path / f"machine-{id(self)}"

    def machine(number: int) -> None:
        shared = open_lake(settings, "default", database)
        put(load_activities, Machine(shared.location, database.hold), [activity(number)])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(machine, range(12)))
    assert guids(open_lake(settings, "default", database)) == [f"{n:04}" for n in range(12)]
    database.close()
    postgresql.drop(url)


def test_a_bucket_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    s3 = S3(
        endpoint="http://127.0.0.1:9",
        region="us-east-1",
        access_key_id="key",
        secret_access_key="a secret that nobody shows",
    )
    settings = Settings(data=tmp_path, lake_url="s3://bucket/lake", s3=s3)
    location = location_of_lakes(settings)
    with pytest.raises(LakeError) as refusal:
        check_lakes(settings)
    assert "127.0.0.1:9" in str(refusal.value)
    with pytest.raises(LakeError):
        page(Lake(location))
    assert "nobody shows" not in f"{refusal.value}{location!r}"
    Location.of(tmp_path / "not" / "made" / "yet").check()


def test_nothing_is_committed_where_a_second_object_of_a_name_is_not_refused(
    bucket: Bucket, put: Loader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = bucket.opened()
    bucket.make()
    # A signature would cover the field.
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    with wire_to(bucket) as (reached, wire):
        # As with a service that does not know the condition of a put, and ignores it.
        wire.replaces = {b"if-none-match:": b"no-such-field:"}
        settings = Settings(data=tmp_path, lake_url=reached.url, **reached.settings)
        check_lakes(settings)
        for _ in range(2):
            with pytest.raises(LakeError, match="commits to tables would be lost"):
                check_lakes(settings, writes=True)
            with pytest.raises(LakeError, match="commits to tables would be lost"):
                put(load_leads, Lake(reached.location), [{"id": 1}])
    assert bucket.keys() == [WITNESS]
    put(load_leads, Lake(bucket.location), [{"id": 1}])


@pytest.mark.parametrize("name", ["a b", "100%", "q?x#y", "é", "a:b", "[x]*"])
def test_it_is_in_the_folder_whatever_its_name(
    put: Loader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path / name / "absolute", Path(name)):
        lake = Lake(folder)
        put(load_leads, lake, [{"id": 1}])
        assert len(page(lake).records) == 1
        assert (folder / "leads" / "_delta_log").is_dir()


@pytest.mark.parametrize("name", ["a%25b", "a%41b", "a\\b"])
def test_a_name_that_tables_cannot_be_opened_by_is_refused(tmp_path: Path, name: str) -> None:
    settings = Settings(data=tmp_path, lake_url=str(tmp_path / name))
    with pytest.raises(LakeError, match="another name"):
        check_lakes(settings)
    with pytest.raises(LakeError, match="another name"):
        Lake(tmp_path / name).create(LEADS)
    assert not (tmp_path / name).exists()


def test_a_file_that_is_gone_or_damaged_is_told(put: Loader, tmp_path: Path) -> None:
    local = Lake(tmp_path / "lake")
    put(load_leads, local, [{"id": 1}])
    snapshot = local.snapshot(LEADS)
    assert snapshot is not None
    path = local.folder / "leads" / snapshot.files[0].path
    path.write_bytes(b"PAR1 something else PAR1")
    with pytest.raises(LakeError, match="parquet"):
        page(local)
    path.unlink()
    with pytest.raises(LakeError, match="No such file"):
        page(local)


def test_a_column_is_widened_in_it(lake: Lake, catalog: Catalog, put: Loader) -> None:
    load = partial(load_leads, infer=True)
    put(load, lake, [{"id": 1, "size": 5}])
    plan = planned("leads", lake, catalog)
    put(load, lake, [{"id": 2, "size": "large"}])
    snapshot = lake.snapshot(LEADS)
    assert snapshot is not None
    sizes = snapshot.scan(snapshot.files).sort("id").collect()["size"].to_list()
    assert sizes == ["5", "large"]
    rendered(plan, lake)  # from files that were replaced
