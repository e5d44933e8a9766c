"""Activities that are too old are in no export and no look-up, if limits say so."""

import csv
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.instance import NOW, Instance, Serve, result
from tests.support.loads import load_activities

from outhaul.catalog.store import Catalog
from outhaul.lake.snapshot import Lake
from outhaul.protocol.instants import render_instant

LIVE = {"delete_lead_days": 14, "frequent_activity_days": 90, "activity_months": 25}

# Days before now, type, and whether a live instance still shows it.
ACTIVITIES = (
    (1_000, 12, True),
    (1_000, 2, False),
    (770, 2, False),  # 25 months are 763 days here
    (762, 2, True),
    (91, 1, False),
    (89, 1, True),
    (91, 10, True),
    (15, 37, False),
    (13, 37, True),
)
DAYS = sorted({days for days, _, _ in ACTIVITIES})


@pytest.fixture
def instance(serve: Serve, tmp_path: Path, request: pytest.FixtureRequest) -> Instance:
    made = serve(**request.param)
    made.settings.lake_folder.unlink()
    path = tmp_path / "old.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for n, (days, of, _) in enumerate(ACTIVITIES):
            moment = render_instant(NOW - timedelta(days=days))
            record = {"marketoGUID": str(n), "leadId": 9, "activityDate": moment}
            file.write(json.dumps({**record, "activityTypeId": of}) + "\n")
    lake = Lake(made.settings.lake_folder / "default")
    load_activities(lake, Catalog(made.database, "default"), path, NOW, lambda _: None)
    return made


def exported(instance: Instance, **filters: Any) -> set[int]:
    found = set()
    for days in DAYS:
        ends = (NOW - timedelta(days=days, hours=1), NOW - timedelta(days=days, hours=-1))
        window = dict(zip(("startAt", "endAt"), map(render_instant, ends), strict=True))
        job = instance.completed("activities", filter={"createdAt": window, **filters})
        rows = csv.DictReader(io.StringIO(instance.file(job["exportId"], "activities").text))
        some = [int(row["marketoGUID"]) for row in rows]
        assert len(some) == job["numberOfRecords"]
        found |= set(some)
    return found


def looked_up(instance: Instance, path: str, **params: Any) -> set[int]:
    since = {"sinceDatetime": "2020-01-01"}
    token = instance.get("/rest/v1/activities/pagingtoken.json", params=since).json()
    params["nextPageToken"] = token["nextPageToken"]
    answer = instance.get(f"/rest/v1/activities{path}.json", params=params)
    return {int(entry["marketoGUID"]) for entry in result(answer)}


def numbers(*types: int, live: bool) -> set[int]:
    return {
        n
        for n, (_, of, shown) in enumerate(ACTIVITIES)
        if (shown or not live) and (not types or of in types)
    }


@pytest.mark.parametrize("instance", [{}, LIVE], indirect=True, ids=["off", "live"])
def test_what_is_shown(instance: Instance) -> None:
    live = instance.settings.limits_of({}, NOW).activity_months is not None
    assert exported(instance) == numbers(live=live)
    assert exported(instance, activityTypeIds=[2, 37]) == numbers(2, 37, live=live)
    found = looked_up(instance, "", activityTypeIds="1,2,10,12,37")
    assert found == numbers(live=live)
    assert looked_up(instance, "/deletedleads") == numbers(37, live=live)
    assert looked_up(instance, "/leadchanges", fields="email") == numbers(12, live=live)
