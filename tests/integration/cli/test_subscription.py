"""`outhaul subscription`, and the option `--subscription`: what they say, and what they leave."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from outhaul.accounts.subscriptions import subscriptions
from outhaul.catalog.entries import AssetType
from outhaul.catalog.store import Catalog
from outhaul.cli import app
from outhaul.database.engine import Database
from outhaul.database.schema import api_user
from outhaul.lake.snapshot import Lake
from outhaul.lake.tables import LEADS
from outhaul.limits import Limits
from outhaul.settings import Settings

Run = Callable[..., Result]

SERVICE = ("service", "create", "x", "--user", "etl@example.com", "--permission", "Read-Only Lead")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def run(data: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on the data folder; no exit is by an exception."""
    for name in [name for name in os.environ if name.startswith("OUTHAUL_")]:
        monkeypatch.delenv(name)

    def run_command(*words: str | Path, status: int = 0) -> Result:
        done = CliRunner().invoke(app, [*map(str, words), "--data", str(data)])
        if isinstance(done.exception, Exception):
            raise done.exception
        assert done.exit_code == status, done.output
        return done

    return run_command


@pytest.fixture
def opened(data: Path) -> Any:
    database = Database(Settings(data=data).database_url)
    yield database
    database.close()


def told(done: Result) -> Any:
    return json.loads(done.stdout)


def test_subscriptions_are_made_and_listed(run: Run, opened: Database) -> None:
    assert run("subscription", "create", "emea").stdout == "emea\n"
    assert told(run("subscription", "create", "apac", "--json")) == {"name": "apac"}
    assert run("subscription", "list").stdout == "apac\ndefault\nemea\n"
    listed = told(run("subscription", "list", "--json"))["subscriptions"]
    assert [each["name"] for each in listed] == ["apac", "default", "emea"]
    assert {each["name"] for each in listed} == {each.name for each in subscriptions(opened)}
    assert all(each["overrides"] == {} and each["createdAt"].endswith("Z") for each in listed)


@pytest.mark.parametrize("name", ["Emea", "a b", "../up", "x" * 41, "default"])
def test_a_name_that_cannot_be_is_told(run: Run, name: str) -> None:
    done = run("subscription", "create", name, "--json", status=1)
    assert name in done.stderr
    assert done.stdout == ""


def test_a_clock_is_shown_set_and_given_back(run: Run) -> None:
    def clock(*words: str) -> Any:
        return told(run("subscription", "clock", "default", *words, "--json"))

    assert clock()["clock"] == "real"
    frozen = {"name": "default", "moment": "2026-03-08T07:59:00Z", "clock": "frozen"}
    assert clock("--set", "2026-03-08T07:59:00Z", "--freeze") == clock() == frozen
    assert clock("--advance", "28d") == frozen | {"moment": "2026-04-05T07:59:00Z"}
    assert clock("--run")["clock"] == "running"
    assert clock("--freeze")["moment"].startswith("2026-04-05T")
    assert run("subscription", "clock", "default", "--set", "2044-02-29", "--freeze").stdout == (
        "2044-02-29T00:00:00Z  frozen\n"
    )
    limits = told(run("subscription", "limits", "default", "--json"))["limits"]
    assert limits["list_id_leads"] == 10_000, "those in force by its clock"
    assert clock("--real")["clock"] == "real"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--set", "9999-12-31"), "--set: a clock cannot show 9999-12-31"),
        (("--set", "0001-01-01"), "--set: a clock cannot show 0001-01-01"),
        (("--set", "tomorrow"), "--set: 'tomorrow' is not"),
        (("--advance", "999999999.9d"), "--advance: a clock"),
        (("--advance", "soon"), "--advance: 'soon' is no duration"),
        (("--advance", "1d", "--freeze"), "each stand alone"),
        (("--real", "--advance", "1d"), "each stand alone"),
    ],
)
def test_a_clock_that_cannot_be_is_told(run: Run, words: tuple[str, ...], message: str) -> None:
    assert message in run("subscription", "clock", "default", *words, status=1).stderr
    assert told(run("subscription", "clock", "default", "--json"))["clock"] == "real"


def test_limits_are_shown_set_and_unset(run: Run) -> None:
    shown = told(run("subscription", "limits", "default", "--json"))
    assert shown == {"name": "default", "limits": Limits().model_dump(), "overrides": {}}
    setting = ("--set", "calls_per_day=7", "--set", "queued_jobs=none")
    shown = told(run("subscription", "limits", "default", *setting, "--json"))
    assert shown["overrides"] == {"calls_per_day": 7, "queued_jobs": None}
    assert shown["limits"] == Limits(calls_per_day=7, queued_jobs=None).model_dump()
    assert told(run("subscription", "limits", "default", "--json")) == shown
    lines = run("subscription", "limits", "default", "--unset", "queued_jobs").stdout.splitlines()
    assert len(lines) == len(Limits.model_fields)
    split = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines}
    assert split["calls_per_day"] == "7  (its own)"
    assert split["queued_jobs"] == "10"


def test_limits_in_force_are_those_of_the_environment(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTHAUL_LIMITS", "open")
    monkeypatch.setenv("OUTHAUL_LIMIT_LIST_PAGE", "5")
    shown = told(run("subscription", "limits", "default", "--json"))
    assert (shown["limits"]["calls_per_day"], shown["limits"]["list_page"]) == (None, 5)
    shown = told(run("subscription", "limits", "default", "--set", "list_page=6", "--json"))
    assert shown["limits"]["list_page"] == 6


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("emea",), "there is no subscription 'emea'"),
        (("emea", "--set", "list_page=1"), "there is no subscription 'emea'"),
        (("default", "--set", "list_pages=1"), "there is no limit 'list_pages'"),
        (("default", "--unset", "list_pages"), "there is no limit 'list_pages'"),
        (("default", "--set", "list_page=many"), "'list_page' cannot be 'many'"),
        (("default", "--set", "list_page=0"), "'list_page' cannot be '0'"),
        (("default", "--set", "list_page"), "NAME=VALUE"),
        (("default", "--set", "list_page=1", "--unset", "list_page"), "both set and unset"),
    ],
)
def test_a_slip_is_told_and_changes_nothing(run: Run, words: tuple[str, ...], message: str) -> None:
    done = run("subscription", "limits", *words, "--json", status=1)
    assert message in done.stderr
    assert done.stdout == ""
    assert told(run("subscription", "limits", "default", "--json"))["overrides"] == {}


def test_services_and_records_go_where_they_are_told(
    run: Run, data: Path, tmp_path: Path, opened: Database
) -> None:
    leads, catalog = tmp_path / "leads.csv", tmp_path / "catalog.json"
    leads.write_text("id,email,fromEmea\n7,a@example.com,yes\n")
    catalog.write_text(json.dumps({"staticLists": [{"id": 5, "name": "Newsletter"}]}))
    run("subscription", "create", "emea")
    run(*SERVICE, "--subscription", "emea")
    run("load", "leads", leads, "--infer-fields", "--subscription", "emea")
    run("load", "catalog", catalog, "--subscription", "emea")
    with opened.read() as connection:
        users = connection.execute(sa.select(api_user.c.subscription, api_user.c.email)).all()
    assert [tuple(user) for user in users] == [("emea", "etl@example.com")]
    folder = Settings(data=data).lake_folder
    assert Lake(folder / "emea").snapshot(LEADS) is not None
    assert [path.name for path in folder.iterdir()] == ["emea"]
    ours, theirs = Catalog(opened, "emea"), Catalog(opened, "default")
    assert "fromEmea" in ours.lead_fields()
    assert "fromEmea" not in theirs.lead_fields()
    assert [entry.id for entry in ours.assets(AssetType.STATIC_LIST)] == [5]
    assert list(theirs.assets(AssetType.STATIC_LIST)) == []


def test_the_subscription_may_come_from_the_environment(
    run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads = tmp_path / "leads.csv"
    leads.write_text("id\n7\n")
    run("subscription", "create", "emea")
    monkeypatch.setenv("OUTHAUL_SUBSCRIPTION", "emea")
    run("load", "leads", leads)
    assert [path.name for path in Settings(data=data).lake_folder.iterdir()] == ["emea"]


@pytest.mark.parametrize(
    "words",
    [
        SERVICE,
        ("load", "leads", "f.csv"),
        ("load", "activities", "f.csv"),
        ("load", "list-members", "f.csv"),
        ("load", "program-members", "f.csv"),
        ("load", "custom-objects", "f.csv", "--type", "car_c"),
        ("load", "catalog", "f.json"),
    ],
)
def test_an_unknown_subscription_is_told_and_nothing_is_made(
    run: Run, data: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    paths = {"f.csv": tmp_path / "f.csv", "f.json": tmp_path / "f.json"}
    paths["f.csv"].write_text("id\n7\n")
    paths["f.json"].write_text('{"staticLists": []}')
    done = run(*(paths.get(word, word) for word in words), "--subscription", "nope", status=1)
    assert "there is no subscription 'nope'" in done.stderr
    assert not Settings(data=data).lake_folder.exists()
