"""Which activities are shown, by their type and age."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import polars as pl
import pytest

from outhaul.catalog.built_in import standard_entries
from outhaul.kinds.expiry import FREQUENT, NEW_LEAD, unexpired
from outhaul.kinds.filter import Context
from outhaul.lake.clauses import Scope, all_of
from outhaul.lake.tables import DELETE_LEAD
from outhaul.limits import Limits
from outhaul.records.columns import INSTANT

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
LIVE = Limits(delete_lead_days=14, frequent_activity_days=90, activity_months=25)
FILL_OUT_FORM = 2

# From the original's page on retention; "Click Link on Webpage" is called "Click Link" in the API.
NAMES = {
    *("Add to List", "Change Score", "Change Data Value", "Visit Webpage", "Click Link"),
    *("Sync Lead to SFDC", "Sync Lead to Microsoft", "Sync Lead Updates to SFDC"),
    *("Update Opportunity", "Request Campaign", "Email Delivered", "Send Email"),
}


def shown(limits: Limits, of: int, moment: datetime) -> bool:
    context = Context(catalog=cast("Any", None), limits=limits, moment=NOW)
    clauses = unexpired(context)
    frame = pl.DataFrame(
        {"activityTypeId": [of], "activityDate": [moment]},
        schema={"activityTypeId": pl.Int64(), "activityDate": INSTANT},
    )
    found = not frame.filter(all_of(clauses, Scope(lake=cast("Any", None), ids=None))).is_empty()
    bounds = {"activityTypeId": (of, of), "activityDate": (moment, moment)}
    assert all(clause.may_match(bounds) for clause in clauses) == found
    return found


def test_the_twelve_types_are_those_of_the_original() -> None:
    named = {entry.name for entry in standard_entries().activity_types if entry.id in FREQUENT}
    assert named == NAMES
    assert len(FREQUENT) == len(set(FREQUENT)) == 12


@pytest.mark.parametrize(
    ("of", "oldest"),
    [
        (DELETE_LEAD, NOW - timedelta(days=14)),
        *((of, NOW - timedelta(days=90)) for of in FREQUENT),
        # 25 months before is February, which has no 31st.
        (FILL_OUT_FORM, datetime(2024, 2, 29, 12, tzinfo=UTC)),
        (100_001, datetime(2024, 2, 29, 12, tzinfo=UTC)),
    ],
)
def test_an_activity_is_shown_until_it_is_too_old(of: int, oldest: datetime) -> None:
    assert shown(LIVE, of, NOW)
    assert shown(LIVE, of, oldest)
    assert not shown(LIVE, of, oldest - timedelta(microseconds=1))


def test_a_new_lead_is_always_shown() -> None:
    assert shown(LIVE, NEW_LEAD, datetime(1970, 1, 1, tzinfo=UTC))


def test_nothing_expires_by_default() -> None:
    assert unexpired(Context(catalog=cast("Any", None), limits=Limits(), moment=NOW)) == []


@pytest.mark.parametrize(
    ("limits", "hidden"),
    [
        (Limits(delete_lead_days=0), {DELETE_LEAD}),
        (Limits(frequent_activity_days=0), set(FREQUENT)),
        (Limits(activity_months=0), {FILL_OUT_FORM}),
        (Limits(activity_months=1_000), set()),
        (Limits(delete_lead_days=36_500, frequent_activity_days=36_500), set()),
    ],
)
def test_each_limit_is_of_its_own_types(limits: Limits, hidden: set[int]) -> None:
    second = NOW - timedelta(seconds=1)
    types = (NEW_LEAD, DELETE_LEAD, FILL_OUT_FORM, *FREQUENT)
    assert {of for of in types if not shown(limits, of, second)} == hidden


def test_an_age_may_reach_back_beyond_the_calendar() -> None:
    early = datetime(50, 1, 1, tzinfo=UTC)
    limits = Limits(activity_months=1_177)
    context = Context(catalog=cast("Any", None), limits=limits, moment=early)
    assert len(unexpired(context)) == 1
