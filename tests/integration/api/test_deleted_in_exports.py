"""Leads that are deleted are in no export, whatever is loaded before and after."""

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.support.instance import (
    ACTIVITY_COUNT,
    LEAD_COUNT,
    MEMBERS,
    NOW,
    STATIC_LIST,
    WINDOW,
    Instance,
)
from tests.support.loads import load_activities, load_leads, load_list_members, load_program_members
from tests.support.schemas import Contract
from tests.support.template import Template, serving

from outhaul import sample
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.lake.snapshot import Lake
from outhaul.settings import Settings

IN_LIST = [
    member["leadId"]
    for member in sample.list_members(LEAD_COUNT)
    if member["listId"] == STATIC_LIST["id"]
]
IN_PROGRAM = [
    member["leadId"]
    for member in sample.program_members(LEAD_COUNT, until=NOW)
    if member["programId"] == MEMBERS["filter"]["programId"]
]
IN_WINDOW = [
    lead["id"]
    for lead in sample.leads(LEAD_COUNT, until=NOW)
    if WINDOW["startAt"] <= lead["createdAt"] <= WINDOW["endAt"]
]
GONE = [IN_LIST[0], IN_LIST[-1], IN_PROGRAM[0], IN_PROGRAM[-1], IN_WINDOW[0], IN_WINDOW[-1]]
"""Those that are deleted."""

DELETIONS = [
    {
        "marketoGUID": f"deletion-{lead}",
        "leadId": lead,
        "activityDate": "2026-01-20T11:00:00Z",
        "activityTypeId": 37,
    }
    for lead in set(GONE)
]
BACK: tuple[tuple[Callable[..., Any], Iterable[Mapping[str, Any]]], ...] = (
    (load_leads, list(sample.leads(LEAD_COUNT, until=NOW))),
    (load_list_members, list(sample.list_members(LEAD_COUNT))),
    (
        load_program_members,
        list(sample.program_members(LEAD_COUNT, until=NOW)),
    ),
)


@pytest.fixture(scope="module", params=["deleted last", "loaded again", "deleted first"])
def after_deletions(
    request: pytest.FixtureRequest, template: Template, tmp_path_factory: pytest.TempPathFactory
) -> Template:
    """Return the sample with deletions, and with its leads in whichever order."""
    folder: Path = tmp_path_factory.mktemp("deletions")
    shutil.copytree(template.folder, folder, dirs_exist_ok=True)
    settings = Settings(data=folder)
    lake = Lake(settings.lake_folder / "default")
    if request.param == "deleted first":
        for name in ("leads", "list_members", "program_members"):
            shutil.rmtree(lake.folder / name)
    database = Database(settings.database_url)
    back = () if request.param == "deleted last" else BACK
    deleting: tuple[Callable[..., Any], Iterable[Mapping[str, Any]]] = (load_activities, DELETIONS)
    for load, records in (deleting, *back):
        path = folder / "records.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
        load(lake, Catalog(database, "default"), path, NOW, lambda _: None)
    database.close()
    return Template(folder, template.credentials)


@pytest.fixture
def instance(
    after_deletions: Template, tmp_path: Path, contract: Contract | None
) -> Iterator[Instance]:
    with ExitStack() as stack:
        yield serving(after_deletions, tmp_path, contract, stack)()


def exported(instance: Instance, kind: str, column: str, **changes: Any) -> list[int]:
    """Return the ids of leads that an export has."""
    job = instance.completed(kind, **changes)
    rows = csv.DictReader(io.StringIO(instance.file(job["exportId"], kind).text))
    found = [int(row[column]) for row in rows]
    assert len(found) == job["numberOfRecords"]
    return found


def left(leads: Iterable[int]) -> list[int]:
    before = list(leads)
    after = [lead for lead in before if lead not in GONE]
    assert len(after) < len(before)
    return after


def test_no_export_has_a_deleted_lead(instance: Instance) -> None:
    assert exported(instance, "leads", "id") == left(IN_WINDOW)
    of_list = {"staticListId": STATIC_LIST["id"]}
    assert exported(instance, "leads", "id", filter=of_list) == left(IN_LIST)
    assert exported(instance, "program/members", "leadId") == left(IN_PROGRAM)
    newcomers = exported(instance, "leads", "id", filter={"smartListName": "Silent Newcomers"})
    assert newcomers
    assert not set(newcomers) & set(GONE)


def test_what_deleted_leads_did_stays(instance: Instance) -> None:
    activities = list(sample.activities(ACTIVITY_COUNT, until=NOW, lead_count=LEAD_COUNT))
    active = [activity["leadId"] for activity in activities]
    assert set(active) & set(GONE)
    types = sorted({activity["activityTypeId"] for activity in activities})
    filters = {"createdAt": WINDOW, "activityTypeIds": types}
    assert exported(instance, "activities", "leadId", filter=filters) == active


@pytest.mark.parametrize("others", [[], [1, 2]])
def test_deletions_can_be_exported_alone_and_with_other_types(
    instance: Instance, others: list[int]
) -> None:
    filters = {"createdAt": WINDOW, "activityTypeIds": [37, *others]}
    found = exported(instance, "activities", "leadId", filter=filters)
    assert set(GONE) <= set(found)
    known = sample.activities(ACTIVITY_COUNT, until=NOW, lead_count=LEAD_COUNT)
    of_others = [each for each in known if each["activityTypeId"] in others]
    assert len(found) == len(of_others) + len(DELETIONS)
