"""Every `GET` of the published descriptions is served, and says something of the sample.

The instance holds each answer against its published shape.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.support.instance import BODIES, NOW, STATIC_LIST, TOKEN, WINDOW, Instance, result
from tests.support.loads import load_activities
from tests.support.paths import PROTOCOL
from tests.support.schemas import MISSING, Contract
from tests.support.template import Template, serving

from outhaul import sample
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.lake.snapshot import Lake
from outhaul.settings import Settings

CATALOG = sample.catalog()
LEAD = str(sample.FIRST_LEAD_ID)
PAGING_TOKEN = "/rest/v1/activities/pagingtoken.json"

LEFT_OUT: Mapping[str, str] = {}
"""The paths that are not served, with the reason for each."""

ASSETS = {
    "form": CATALOG["forms"][0],
    "program": CATALOG["programs"][0],
    "smartList": CATALOG["smartLists"][0],
    "staticList": STATIC_LIST,
}
"""An asset of each family that has look-ups of the same form."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How a call is made that finds something."""

    user: str = "etl"
    ids: Mapping[str, Any] = field(default_factory=dict)
    """By their names in the path."""
    params: Mapping[str, Any] = field(default_factory=dict)
    paged: bool = False
    """It begins at a paging token."""


LIST = {"listId": STATIC_LIST["id"]}

LOOKUPS = {
    "/rest/v1/activities.json": Asked(params={"activityTypeIds": "1,12,13"}, paged=True),
    "/rest/v1/activities/deletedleads.json": Asked(paged=True),
    "/rest/v1/activities/leadchanges.json": Asked(params={"fields": "leadStatus,city"}, paged=True),
    PAGING_TOKEN: Asked(params={"sinceDatetime": WINDOW["startAt"]}),
    "/rest/v1/activities/types.json": Asked(),
    "/rest/v1/campaigns.json": Asked(user="marketer"),
    "/rest/v1/campaigns/{campaignId}.json": Asked(
        user="marketer", ids={"campaignId": CATALOG["campaigns"][0]["id"]}
    ),
    "/rest/v1/customobjects.json": Asked(),
    "/rest/v1/customobjects/{customObjectName}/describe.json": Asked(
        ids={"customObjectName": sample.BOATS}
    ),
    "/rest/v1/lead/{leadId}.json": Asked(ids={"leadId": LEAD}),
    "/rest/v1/leads.json": Asked(params={"filterType": "id", "filterValues": LEAD}),
    "/rest/v1/leads/describe.json": Asked(),
    "/rest/v1/leads/describe2.json": Asked(),
    "/rest/v1/leads/programs/{programId}.json": Asked(
        ids={"programId": CATALOG["programs"][0]["id"]}
    ),
    "/rest/v1/list/{listId}/leads.json": Asked(ids=LIST),
    "/rest/v1/lists.json": Asked(),
    "/rest/v1/lists/{listId}.json": Asked(ids=LIST),
    "/rest/v1/lists/{listId}/leads.json": Asked(ids=LIST),
    "/rest/v1/program/members/describe.json": Asked(),
    "/rest/v1/programs/members/describe.json": Asked(),
    "/rest/v1/stats/errors.json": Asked(),
    "/rest/v1/stats/errors/last7days.json": Asked(),
    "/rest/v1/stats/usage.json": Asked(),
    "/rest/v1/stats/usage/last7days.json": Asked(),
    **{f"/rest/asset/v1/{name}s.json": Asked(user="marketer") for name in ASSETS},
    **{
        f"/rest/asset/v1/{name}/{{id}}.json": Asked(user="marketer", ids={"id": entry["id"]})
        for name, entry in ASSETS.items()
    },
    **{
        f"/rest/asset/v1/{name}/byName.json": Asked(user="marketer", params={"name": entry["name"]})
        for name, entry in ASSETS.items()
    },
}
"""Look-ups by path."""

PATHS = (
    sorted(path for method, path in Contract().operations() if method == "GET")
    if PROTOCOL.is_dir()
    else [pytest.param("", marks=pytest.mark.skip(reason=MISSING))]
)
KINDS = {f"/bulk/v1/{kind.replace(sample.BOATS, '{apiName}')}": kind for kind in BODIES}
"""Kinds of exports by the beginning of their paths."""


@pytest.fixture(scope="module")
def whole(
    template: Template, tmp_path_factory: pytest.TempPathFactory, contract: Contract | None
) -> Iterator[Instance]:
    """An instance of the sample in which leads were deleted, too."""
    folder = tmp_path_factory.mktemp("whole")
    shutil.copytree(template.folder, folder, dirs_exist_ok=True)
    settings = Settings(data=folder)
    deletions = folder / "deletions.jsonl"
    lines = [json.dumps(deletion) + "\n" for deletion in sample.deletions(until=NOW)]
    deletions.write_text("".join(lines), "utf-8")
    database = Database(settings.database_url)
    lake = Lake(settings.lake_folder / "default")
    load_activities(lake, Catalog(database, "default"), deletions, NOW, lambda _: None)
    database.close()
    served = tmp_path_factory.mktemp("served")
    with ExitStack() as stack:
        yield serving(Template(folder, template.credentials), served, contract, stack)()


@pytest.mark.parametrize("path", PATHS)
def test_each_is_served(whole: Instance, path: str) -> None:
    if path in LEFT_OUT:
        answer = whole.get(path)
        assert answer.json()["errors"][0]["code"] == "610", "it is served: what is left out?"
    elif path == TOKEN:
        assert whole.ask_token("etl").json()["expires_in"] > 0
    elif path in LOOKUPS:
        _check_lookup(whole, path, LOOKUPS[path])
    else:
        base, bulk, rest = path.partition("/export")
        assert bulk, "it is not tried"
        _check_export(whole, KINDS[base], rest.removesuffix(".json"))


def test_what_is_tried_is_published(contract: Contract | None) -> None:
    if contract is None:
        pytest.skip(MISSING)
    published = {path for method, path in contract.operations() if method == "GET"}
    assert {*LOOKUPS, *LEFT_OUT} <= published


def _check_lookup(instance: Instance, path: str, asked: Asked) -> None:
    params = dict(asked.params)
    if asked.paged:
        since = {"sinceDatetime": WINDOW["startAt"]}
        params["nextPageToken"] = instance.get(PAGING_TOKEN, params=since).json()["nextPageToken"]
    answer = instance.get(path.format_map(asked.ids), user=asked.user, params=params)
    if path == PAGING_TOKEN:
        assert answer.json()["nextPageToken"]
    else:
        assert result(answer)


def _check_export(instance: Instance, kind: str, rest: str) -> None:
    if rest == "":
        export_id = instance.created(kind)
        assert export_id in [job["exportId"] for job in result(instance.jobs(kind))]
        return
    job = instance.completed(kind)
    assert job["numberOfRecords"] > 0
    if rest == "/{exportId}/file":
        content = instance.file(job["exportId"], kind).content
        assert len(content) == job["fileSize"]
    else:
        assert rest == "/{exportId}/status"
