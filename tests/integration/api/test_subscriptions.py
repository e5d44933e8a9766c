"""Two subscriptions that are as alike as can be: nothing of one is seen or counted in the other."""

import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.support.instance import (
    NOW,
    TOKEN,
    WINDOW,
    Clock,
    Instance,
    base,
    different_calls,
    only,
    refusal,
    result,
)
from tests.support.loads import load_activities, load_leads, load_list_members
from tests.support.schemas import Contract

from outhaul.accounts.services import PERMISSIONS, create_service
from outhaul.accounts.subscriptions import create_subscription, override_limits
from outhaul.catalog.entries import parse_catalog
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.database.schema import export_job
from outhaul.lake.snapshot import Lake
from outhaul.settings import Settings

NAMES = ("default", "emea")
OTHER = {"default": "emea", "emea": "default"}
LISTS = {"default": 1001, "emea": 2002}
"""The list "Newsletter" of each."""

MEMBERS = {"default": [1, 2, 3], "emea": [3, 4]}
EMAIL = "etl@example.com"
FIELDS = ["id", "email"]
BY_DATE = {"createdAt": WINDOW}


def marker(name: str) -> str:
    """Return what stands in all records and in the catalog of a subscription, and nowhere else."""
    return f"only-in-{name}"


@pytest.fixture
def both(tmp_path: Path, contract: Contract | None) -> Iterator[Instance]:
    """Serve two subscriptions; its users `default` and `emea` have one e-mail address."""
    settings = Settings(
        data=tmp_path,
        workers=1,
        poll_seconds=0.005,
        limit_overrides={"calls_in_20_seconds": None, "calls_per_day": None},
    )
    database = Database(settings.database_url)
    database.migrate()
    create_subscription(database, "emea", NOW)
    credentials = {}
    for name in NAMES:
        credentials[name] = create_service(
            database,
            "nightly",
            email=EMAIL,
            permissions=PERMISSIONS,
            moment=NOW,
            subscription_name=name,
        )
        load(database, settings, name)
    database.close()
    with Instance(settings, Clock(), credentials, contract).running() as instance:
        yield instance


def load(database: Database, settings: Settings, name: str) -> None:
    catalog = Catalog(database, name)
    mark = marker(name)
    catalog.store(
        parse_catalog(
            {
                "programs": [{"id": 1, "name": f"Program {mark}"}],
                "forms": [{"id": 1, "name": f"Form {mark}"}],
                "staticLists": [
                    {"id": LISTS[name], "name": "Newsletter"},
                    {"id": 1, "name": f"List {mark}"},
                ],
            }
        )
    )
    created = {"createdAt": "2026-01-10T00:00:00Z", "updatedAt": "2026-01-10T00:00:00Z"}
    leads = [{"id": n, "email": f"{n}@{mark}.example", **created} for n in range(1, 6)]
    activities = [
        {
            "marketoGUID": str(n),
            "leadId": n,
            "activityDate": "2026-01-10T00:00:00Z",
            "activityTypeId": 1,
            "primaryAttributeValueId": 7,
            "primaryAttributeValue": mark,
            "attributes": {"Webpage URL": mark},
        }
        for n in range(1, 4)
    ]
    members = [{"listId": LISTS[name], "leadId": n} for n in MEMBERS[name]]
    lake = Lake(settings.lake_folder / name)
    steps: tuple[tuple[Any, list[dict[str, Any]]], ...] = (
        (load_list_members, members),
        (load_activities, activities),
        (load_leads, leads),
    )
    for n, (loader, records) in enumerate(steps):
        path = settings.lake_folder.parent / f"{n}.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
        loader(lake, catalog, path, NOW, lambda _: None)
        path.unlink()


def create(instance: Instance, user: str, **changes: Any) -> str:
    return instance.created("leads", user=user, **({"fields": FIELDS, "filter": BY_DATE} | changes))


def exported(instance: Instance, user: str, kind: str = "leads", **body: Any) -> str:
    """Return the file of an export."""
    export_id = instance.created(kind, user=user, **body)
    only(instance.enqueue(export_id, kind, user=user))
    # The worker is looked at with the calls of the user that has the job.
    instance.credentials, credentials = {"etl": instance.credentials[user]}, instance.credentials
    instance._tokens.pop("etl", None)
    try:
        instance.work(export_id, kind)
    finally:
        instance.credentials = credentials
    answer = instance.file(export_id, kind, user=user)
    assert answer.status_code == 200
    return answer.text


@pytest.mark.parametrize("name", NAMES)
class TestRecords:
    def test_leads_are_its_own(self, both: Instance, name: str) -> None:
        rows = exported(both, name, fields=FIELDS, filter=BY_DATE).splitlines()
        assert rows == ["id,email", *(f"{n},{n}@{marker(name)}.example" for n in range(1, 6))]

    def test_activities_are_its_own(self, both: Instance, name: str) -> None:
        text = exported(both, name, "activities", filter=BY_DATE)
        assert len(text.splitlines()) == 4
        assert marker(name) in text
        assert marker(OTHER[name]) not in text

    def test_those_that_are_looked_up_are_its_own(self, both: Instance, name: str) -> None:
        """The token is that of the other: it is a place in time, and nothing of anybody."""

        def found(path: str, **params: Any) -> list[dict[str, Any]]:
            return result(both.get(path, user=name, params=params))

        token = activities_token(both, OTHER[name])
        activities = found("/rest/v1/activities.json", activityTypeIds=1, nextPageToken=token)
        assert [each["primaryAttributeValue"] for each in activities] == [marker(name)] * 3
        (lead,) = found("/rest/v1/lead/1.json")
        assert lead["email"] == f"1@{marker(name)}.example"
        leads = found("/rest/v1/leads.json", filterType="id", filterValues="1,2")
        assert [each["email"] for each in leads] == [f"{n}@{marker(name)}.example" for n in (1, 2)]
        theirs = f"1@{marker(OTHER[name])}.example"
        assert found("/rest/v1/leads.json", filterType="email", filterValues=theirs) == []
        members = found(f"/rest/v1/lists/{LISTS[name]}/leads.json")
        assert [each["id"] for each in members] == MEMBERS[name]
        unknown = both.get(f"/rest/v1/lists/{LISTS[OTHER[name]]}/leads.json", user=name)
        assert refusal(unknown)[0] == "1013"

    def test_a_list_of_one_name_has_its_own_members(self, both: Instance, name: str) -> None:
        rows = exported(both, name, fields=["id"], filter={"staticListName": "Newsletter"})
        assert rows.splitlines() == ["id", *map(str, MEMBERS[name])]

    def test_a_list_of_the_other_is_unknown(self, both: Instance, name: str) -> None:
        for wanted in (
            {"staticListId": LISTS[OTHER[name]]},
            {"staticListName": f"List {marker(OTHER[name])}"},
        ):
            answer = both.create("leads", user=name, fields=FIELDS, filter=wanted)
            assert refusal(answer)[0] == "1003"


@pytest.mark.parametrize("name", NAMES)
class TestJobs:
    def test_of_the_other_are_not_there(self, both: Instance, name: str) -> None:
        theirs = create(both, OTHER[name])
        unknown = ("1003", f"Export job '{theirs}' not found")
        assert result(both.jobs(user=name)) == []
        assert refusal(both.status(theirs, user=name)) == unknown
        assert refusal(both.enqueue(theirs, user=name)) == unknown
        assert refusal(both.cancel(theirs, user=name)) == unknown
        assert only(both.status(theirs, user=OTHER[name]))["status"] == "Created"

    def test_a_file_of_the_other_is_not_there(self, both: Instance, name: str) -> None:
        exported(both, OTHER[name], fields=FIELDS, filter=BY_DATE)
        (job,) = result(both.jobs(user=OTHER[name]))
        assert both.file(job["exportId"], user=OTHER[name]).status_code == 200
        assert both.file(job["exportId"], user=name).status_code == 404
        assert result(both.jobs(user=name)) == []

    def test_the_page_after_a_job_of_the_other_tells_nothing(
        self, both: Instance, name: str
    ) -> None:
        for _ in range(3):
            create(both, OTHER[name])
        page = both.jobs(user=OTHER[name], params={"batchSize": 1}).json()
        token = {"nextPageToken": page["nextPageToken"]}
        assert result(both.jobs(user=name, params=token)) == []


@pytest.mark.parametrize("name", NAMES)
class TestCounts:
    def test_a_full_queue_is_that_of_one(self, both: Instance, name: str) -> None:
        for _ in range(10):
            only(both.enqueue(create(both, OTHER[name]), user=OTHER[name]))
        refused = both.enqueue(create(both, OTHER[name]), user=OTHER[name])
        assert refusal(refused)[0] == "1029"
        assert only(both.enqueue(create(both, name), user=name))["status"] == "Queued"

    def test_jobs_in_processing_are_those_of_one(self, both: Instance, name: str) -> None:
        for user in (OTHER[name], OTHER[name], OTHER[name], name):
            only(both.enqueue(create(both, user), user=user))
        claimed = [both.claim() for _ in range(4)]
        assert claimed[3] is None  # two of the other, and the one that waited behind them all
        (mine,) = result(both.jobs(user=name))
        assert mine["exportId"] in claimed

    def test_the_size_of_exports_is_that_of_one(self, both: Instance, name: str) -> None:
        exported(both, OTHER[name], fields=FIELDS, filter=BY_DATE)
        with both.database.write() as connection:
            connection.execute(sa.update(export_job).values(file_size=600_000_000))
        refused = both.create("leads", user=OTHER[name], fields=FIELDS, filter=BY_DATE)
        assert refusal(refused) == ("1029", "Export daily quota 500MB exceeded")
        assert create(both, name)

    def test_calls_are_those_of_one(self, both: Instance, name: str) -> None:
        override_limits(both.database, OTHER[name], {"calls_in_20_seconds": 2, "calls_per_day": 1})
        for _ in range(2):
            assert result(both.jobs(user=name)) == []
        result(both.jobs(user=OTHER[name]))
        assert refusal(both.jobs(user=OTHER[name]))[0] == "607"
        refusal(both.create("leads", user=OTHER[name], filter={}))
        assert result(both.jobs(user=name)) == []

    def test_usage_and_errors_are_those_of_one(self, both: Instance, name: str) -> None:
        for _ in range(4):
            both.jobs(user=OTHER[name])
            both.get("/no/such/path", user=OTHER[name])
        for path, members in (("usage", "users"), ("errors", "errors")):
            for address in (f"/rest/v1/stats/{path}.json", f"/rest/v1/stats/{path}/last7days.json"):
                today = result(both.get(address, user=name))[0]
                told = [each["count"] for each in today[members]]
                assert sum(told) == today["total"] < 4

    def test_limits_are_those_of_one(self, both: Instance, name: str) -> None:
        override_limits(
            both.database, OTHER[name], {"date_range_days": 1, "updated_at_filter": False}
        )
        refused = both.create("leads", user=OTHER[name], fields=FIELDS, filter=BY_DATE)
        assert refusal(refused)[0] == "1003"
        assert create(both, name)
        assert create(both, name, filter={"updatedAt": WINDOW})

    def test_the_life_of_a_token_is_that_of_one(self, both: Instance, name: str) -> None:
        override_limits(both.database, name, {"token_seconds": 60})
        assert both.ask_token(name).json()["expires_in"] == 60
        assert both.ask_token(OTHER[name]).json()["expires_in"] == 3600


# Every call there is


PLACES = ["1", "3", "1001", "2002", "Newsletter"]
"""What may stand for a name in braces: ids and names of things of both."""

QUERIES: list[dict[str, str]] = [
    {},
    {"name": "Newsletter"},
    {"filterType": "id", "filterValues": "1,2,3,4,5", "fields": "id,email"},
    {"sinceDatetime": "2026-01-01T00:00:00Z"},
    {"id": "1,1001,2002", "listId": "1001", "activityTypeIds": "1", "fields": "email"},
]


def calls(instance: Instance, exports: list[str]) -> Iterator[tuple[str, str]]:
    """Give every call of the app with everything that it may name."""
    for path, methods in different_calls(instance).items():
        if path == TOKEN:
            continue
        places = [exports if "export" in hole else PLACES for hole in re.findall(r"{(\w+)}", path)]
        for values in product(*places):
            filled = path
            for value in values:
                filled = re.sub(r"{\w+}", value, filled, count=1)
            for method in methods:
                yield method.upper(), filled


@pytest.mark.parametrize("name", NAMES)
def test_no_call_answers_with_anything_of_the_other(both: Instance, name: str) -> None:
    exported(both, OTHER[name], fields=FIELDS, filter=BY_DATE)
    exported(both, OTHER[name], "activities", filter=BY_DATE)
    theirs = [
        job["exportId"]
        for kind in ("leads", "activities")
        for job in result(both.jobs(kind, user=OTHER[name]))
    ]
    assert len(theirs) == 2
    tokens = [page_token(both, name), activities_token(both, OTHER[name])]
    made = 0
    for method, path in calls(both, theirs):
        queries = QUERIES if method == "GET" else [{"_method": "GET"}]
        paged = [queries[-1] | {"nextPageToken": token} for token in tokens]
        for query in [*queries, *paged]:
            body = {"json": {"fields": FIELDS, "filter": BY_DATE}} if method == "POST" else {}
            answer = both.call(method, path, user=name, params=query, **body)
            made += 1
            assert marker(OTHER[name]) not in answer.text, (method, path, query)
            # An id may only come back in the words that refuse it.
            if answer.status_code == 200 and answer.content and answer.json().get("success"):
                assert not [each for each in theirs if each in answer.text], (method, path)
    assert made > 100
    for job, kind in zip(theirs, ("leads", "activities"), strict=True):
        assert only(both.status(job, kind, user=OTHER[name]))["status"] == "Completed"


def page_token(instance: Instance, name: str) -> str:
    """Return a token that the other was given, for it to be tried everywhere."""
    create(instance, OTHER[name])
    answer = instance.jobs(user=OTHER[name], params={"batchSize": 1}).json()
    return str(answer["nextPageToken"])


def activities_token(instance: Instance, name: str) -> str:
    """Return the token of the activities from before all that there are."""
    path = "/rest/v1/activities/pagingtoken.json?sinceDatetime=2026-01-01T00:00:00Z"
    return str(instance.get(path, user=name).json()["nextPageToken"])


def test_each_has_its_own_folder_in_the_lake(both: Instance) -> None:
    assert sorted(path.name for path in both.settings.lake_folder.iterdir()) == sorted(NAMES)


def test_a_job_of_a_kind_is_listed_to_its_owner_alone(both: Instance) -> None:
    mine = {name: create(both, name) for name in NAMES}
    for name in NAMES:
        (job,) = result(both.get(f"{base('leads')}.json", user=name))
        assert job["exportId"] == mine[name]
