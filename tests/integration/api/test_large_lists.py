"""Look-ups of activities and changes refuse large lists, from a day on."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.instance import NOW, Instance, Serve, refusal, result
from tests.support.loads import load_list_members

from outhaul import sample
from outhaul.accounts.subscriptions import override_limits
from outhaul.catalog.store import Catalog
from outhaul.lake.snapshot import Lake

SINCE = "/rest/v1/activities/pagingtoken.json"
ACTIVITIES = "/rest/v1/activities.json"
CHANGES = "/rest/v1/activities/leadchanges.json"
LIST, OTHER_LIST = (entry["id"] for entry in sample.catalog()["staticLists"][:2])
EACH = pytest.mark.parametrize(
    ("path", "params"), [(ACTIVITIES, {"activityTypeIds": 1}), (CHANGES, {"fields": "email"})]
)


@pytest.fixture
def own(serve: Serve) -> Instance:
    """An instance whose lake is its own and empty; its catalog is the sample's."""
    instance = serve()
    instance.settings.lake_folder.unlink()
    return instance


def put_members(instance: Instance, leads: list[int]) -> None:
    lake = Lake(instance.settings.lake_folder / "default")
    path = instance.settings.lake_folder.parent / "members.jsonl"
    lines = (json.dumps({"listId": LIST, "leadId": lead}) for lead in leads)
    path.write_text("\n".join(lines) + "\n", "utf-8")
    load_list_members(lake, Catalog(instance.database, "default"), path, NOW, lambda _: None)


def ask(instance: Instance, path: str, params: dict[str, Any], list_id: int = LIST) -> Any:
    token = instance.get(SINCE, params={"sinceDatetime": "2020-01-01"}).json()["nextPageToken"]
    return instance.get(path, params={**params, "listId": list_id, "nextPageToken": token})


@EACH
@pytest.mark.parametrize(("most", "accepted"), [(1, False), (3, False), (4, True), (None, True)])
def test_a_list_of_many_leads(
    own: Instance, path: str, params: dict[str, Any], most: int | None, accepted: bool
) -> None:
    for leads in ([1, 2], [2, 3]):  # a lead is counted once
        put_members(own, leads)
    override_limits(own.database, "default", {"list_id_leads": most})
    answer = ask(own, path, params)
    if accepted:
        assert result(answer) == []
    else:
        code, message = refusal(answer)
        assert code == "1003"
        assert "'listId'" in message
        assert f"has 3 leads, and lists of {most} leads or more are refused" in message
    assert result(ask(own, path, params, OTHER_LIST)) == []
    # Other calls with the list are as before.
    assert own.get(f"/rest/v1/lists/{LIST}/leads.json").json()["success"]
    assert own.create(filter={"staticListId": LIST}).json()["success"]


@EACH
def test_the_day_comes_while_the_server_runs(
    own: Instance, path: str, params: dict[str, Any]
) -> None:
    put_members(own, list(range(1, 10_001)))
    own.clock.moment = datetime(2026, 12, 30, 5, 59, 59, tzinfo=UTC)
    assert result(ask(own, path, params)) == []
    own.clock.moment += timedelta(seconds=1)
    assert refusal(ask(own, path, params))[0] == "1003"


@pytest.mark.parametrize("name", ["marketo-2026-08", "open"])
def test_other_sets_accept_lists_of_any_size(serve: Serve, name: str) -> None:
    instance = serve(limits=name)
    instance.settings.lake_folder.unlink()
    put_members(instance, list(range(1, 10_001)))
    instance.clock.moment = datetime(2027, 1, 1, tzinfo=UTC)
    assert result(ask(instance, ACTIVITIES, {"activityTypeIds": 1})) == []


def test_the_set_of_december_can_be_chosen_before(serve: Serve) -> None:
    instance = serve(limits="marketo-2026-12")
    instance.settings.lake_folder.unlink()
    put_members(instance, list(range(1, 10_000)))
    assert result(ask(instance, ACTIVITIES, {"activityTypeIds": 1})) == []
    put_members(instance, [10_000])
    assert refusal(ask(instance, ACTIVITIES, {"activityTypeIds": 1}))[0] == "1003"
