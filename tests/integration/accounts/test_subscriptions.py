from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from outhaul.accounts.services import SubscriptionUnknownError
from outhaul.accounts.subscriptions import (
    LimitError,
    SubscriptionNameError,
    create_subscription,
    override_limits,
    subscription_named,
    subscriptions,
)
from outhaul.database.engine import Database

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize("name", ["a", "emea-2", "0", "-", "x" * 40])
def test_a_subscription_is_made_and_listed(database: Database, name: str) -> None:
    made = create_subscription(database, name, MOMENT)
    assert subscription_named(database, name) == made
    assert [each.name for each in subscriptions(database)] == sorted(["default", name])


@pytest.mark.parametrize("name", ["", "x" * 41, "Emea", "a b", "a/b", "..", "a.b", "é", "a\n"])
def test_a_name_is_that_of_a_folder(database: Database, name: str) -> None:
    with pytest.raises(SubscriptionNameError, match="cannot be called"):
        create_subscription(database, name, MOMENT)


def test_a_name_is_given_once(database: Database) -> None:
    with pytest.raises(SubscriptionNameError, match="already"):
        create_subscription(database, "default", MOMENT)


def test_a_subscription_that_there_is_not(database: Database) -> None:
    with pytest.raises(SubscriptionUnknownError, match="emea"):
        subscription_named(database, "emea")
    with pytest.raises(SubscriptionUnknownError, match="emea"):
        override_limits(database, "emea", {"list_page": 1})


def test_limits_are_overridden_and_given_back(database: Database) -> None:
    given = {"list_page": "20", "queued_jobs": "none", "query_token": "false"}
    changed = override_limits(database, "default", given)
    kept = {"list_page": 20, "queued_jobs": None, "query_token": False}
    assert changed.limit_overrides == kept
    assert subscription_named(database, "default") == changed
    changed = override_limits(
        database, "default", {"list_page": "30"}, ["queued_jobs", "list_days"]
    )
    assert changed.limit_overrides == {"list_page": 30, "query_token": False}


@pytest.mark.parametrize(
    ("given", "lifted", "message"),
    [
        ({"list_pages": "1"}, (), "no limit 'list_pages'"),
        ({}, ("list_pages",), "no limit 'list_pages'"),
        ({"list_page": "many"}, (), "'list_page' cannot be 'many'"),
        ({"list_page": "0"}, (), "'list_page' cannot be '0'"),
        ({"list_page": "none"}, (), "'list_page' cannot be 'none'"),
        ({"list_page": "1"}, ("list_page",), "both set and unset"),
        ({"list_days": "1", "list_page": "0"}, (), "list_page"),
    ],
)
def test_a_wrong_limit_changes_nothing(
    database: Database, given: Mapping[str, Any], lifted: tuple[str, ...], message: str
) -> None:
    before = override_limits(database, "default", {"list_page": 7})
    with pytest.raises(LimitError, match=message):
        override_limits(database, "default", given, lifted)
    assert subscription_named(database, "default") == before
