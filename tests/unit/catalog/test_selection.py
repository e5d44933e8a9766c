"""What a selection takes, held against the same rules over the entries in Python."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples

from outhaul.catalog.entries import Asset, AssetType, parse_catalog
from outhaul.catalog.selection import WORKSPACE, Selection
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.database.schema import subscription
from outhaul.protocol.instants import render_instant

MOMENT = datetime(2026, 1, 31, tzinfo=UTC)
DAYS = st.integers(0, 4).map(lambda days: MOMENT + timedelta(days=days))
WORDS = st.sampled_from(["a", "b", "A", "a, b", "ü"])
TYPES = st.sampled_from(["batch", "trigger"])
SUBSCRIPTIONS = count()


def assets(**more: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    optional = {
        "program": WORDS,
        "workspace": WORDS,
        "workspaceName": WORDS,
        "updatedAt": DAYS.map(render_instant),
        **more,
    }
    entry = st.fixed_dictionaries({"id": st.integers(-2, 9), "name": WORDS}, optional=optional)
    return st.lists(entry, max_size=8, unique_by=lambda made: made["id"])


FORMS = assets(status=st.sampled_from(["draft", "DRAFT", "approved", "", None]))
CAMPAIGNS = assets(type=TYPES, active=st.booleans())
SELECTIONS = st.builds(
    Selection,
    ids=st.none() | st.lists(st.integers(-2, 9) | st.just(2**40), max_size=4),
    names=st.none() | st.lists(WORDS, max_size=2),
    programs=st.none() | st.lists(WORDS, max_size=2),
    workspaces=st.none() | st.lists(WORDS | st.just(WORKSPACE), max_size=2),
    updated_from=st.none() | DAYS,
    updated_until=st.none() | DAYS,
)


@pytest.fixture(scope="module")
def shared(database_url_of_module: str) -> Iterator[Database]:
    opened = Database(database_url_of_module)
    opened.migrate()
    yield opened
    opened.close()


def holding(database: Database, content: dict[str, Any]) -> Catalog:
    name = f"s{next(SUBSCRIPTIONS)}"
    with database.write() as connection:
        connection.execute(
            sa.insert(subscription).values(name=name, limit_overrides={}, created_at=MOMENT)
        )
    catalog = Catalog(database, name)
    catalog.store(parse_catalog(content))
    return catalog


def fits(entry: Asset, wanted: Selection) -> bool:
    said = entry.description
    updated = said.get("updatedAt")
    named = said.get("workspaceName") or said.get("workspace") or WORKSPACE
    draft = (said.get("status") or "").lower() == "draft"
    return (
        (wanted.ids is None or entry.id in wanted.ids)
        and (wanted.names is None or entry.name in wanted.names)
        and (wanted.programs is None or entry.program in wanted.programs)
        and (wanted.workspaces is None or named in wanted.workspaces)
        and (
            not (wanted.updated_from and updated) or render_instant(wanted.updated_from) <= updated
        )
        and (
            not (wanted.updated_until and updated)
            or updated <= render_instant(wanted.updated_until)
        )
        and (wanted.drafts is None or wanted.drafts == draft)
        and (
            not wanted.triggerable or (said.get("type") == "trigger" and said.get("active") is True)
        )
    )


def browsed(catalog: Catalog, kind: AssetType, wanted: Selection, size: int) -> list[int]:
    """Return what is found page by page, in both ways of paging, which agree."""
    by_id: list[int] = []
    while page := catalog.browse(kind, wanted, size=size, after=by_id[-1] if by_id else None):
        assert len(page) <= size
        by_id += [entry.id for entry in page]
    by_offset: list[int] = []
    while page := catalog.browse(kind, wanted, size=size, offset=len(by_offset)):
        by_offset += [entry.id for entry in page]
    assert by_id == by_offset
    return by_id


@given(
    forms=FORMS,
    wanted=SELECTIONS,
    drafts=st.sampled_from([None, True, False]),
    size=st.integers(1, 9),
)
@examples(150)
def test_forms_are_those_that_fit_in_order(
    shared: Database, forms: list[dict[str, Any]], wanted: Selection, drafts: bool | None, size: int
) -> None:
    catalog = holding(shared, {"forms": forms, "programs": [{"id": 1, "name": "a"}]})
    wanted = Selection(**{**vars(wanted), "drafts": drafts})
    fitting = [entry.id for entry in catalog.assets(AssetType.FORM) if fits(entry, wanted)]
    assert browsed(catalog, AssetType.FORM, wanted, size) == sorted(fitting)


@given(campaigns=CAMPAIGNS, wanted=SELECTIONS, triggerable=st.booleans(), size=st.integers(1, 9))
@examples(150)
def test_campaigns_are_those_that_fit_in_order(
    shared: Database,
    campaigns: list[dict[str, Any]],
    wanted: Selection,
    triggerable: bool,
    size: int,
) -> None:
    catalog = holding(shared, {"campaigns": campaigns})
    wanted = Selection(**{**vars(wanted), "triggerable": triggerable})
    fitting = [entry.id for entry in catalog.assets(AssetType.CAMPAIGN) if fits(entry, wanted)]
    assert browsed(catalog, AssetType.CAMPAIGN, wanted, size) == sorted(fitting)
