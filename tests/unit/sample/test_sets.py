import json
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from outhaul.accounts.subscriptions import create_subscription
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.database.schema import member_status
from outhaul.kinds.program_members import PROGRAM_MEMBERS
from outhaul.kinds.registry import all_tables
from outhaul.lake.snapshot import Lake
from outhaul.loading import loads
from outhaul.sample.sets import SETS, Of, SetError, load_set, set_named

MOMENT = datetime(2026, 5, 31, 12, tzinfo=UTC)
FEW = {"large": {"leads": 50, "activities": 200}}
"""Parameters with which a set is quickly loaded."""


def content(lake: Lake, catalog: Catalog) -> dict[str, Any]:
    """Return the records of all tables."""
    found = {}
    for table in all_tables(catalog):
        if (snapshot := lake.snapshot(table)) is not None:
            records = [
                {**record, table.partition: file.partition}
                for file in snapshot.files
                for record in snapshot.scan([file]).collect().to_dicts()
            ]
            found[table.name] = sorted(records, key=str)
    return found


@pytest.mark.parametrize("name", SETS)
def test_a_set_has_as_many_records_as_are_counted(
    name: str, lake: Lake, database: Database
) -> None:
    catalog = Catalog(database, "default")
    counts = load_set(name, lake, catalog, MOMENT, **FEW.get(name, {}))
    tables = content(lake, catalog)
    if name == "small":  # one of its activities deletes a lead
        assert len(tables.pop("deleted_leads")) == 1
    assert sorted(map(len, tables.values())) == sorted(counts.values())
    assert sorted(counts) == ([] if name == "empty" else sorted(Of))


@pytest.mark.parametrize("name", ["small", "nasty"])
def test_a_copied_set_is_what_is_loaded(
    name: str, tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog(database, "default")
    first, second, third = (Lake(tmp_path / word) for word in ("first", "second", "third"))
    load_set(name, first, catalog, MOMENT)
    with monkeypatch.context() as patch:
        # Not loaded again: its files are copied.
        patch.setattr(loads, "open_reader", None)
        load_set(name, second, catalog, MOMENT)
    # A lake with a table gets no copy.
    load_set("large", third, catalog, MOMENT, leads=0, activities=1)
    load_set(name, third, catalog, MOMENT)
    wanted = content(first, catalog)
    assert content(second, catalog) == wanted
    merged = content(third, catalog)
    assert len(merged["activities"]) == len(wanted["activities"]) + 1
    assert merged["leads"] == wanted["leads"]


@pytest.mark.parametrize("name", ["small", "nasty"])
def test_a_catalog_knows_the_statuses_of_a_copied_set(
    name: str, tmp_path: Path, database: Database
) -> None:
    create_subscription(database, "second", MOMENT)
    for subscription in ("default", "second"):
        catalog = Catalog(database, subscription)
        lake = Lake(tmp_path / subscription)
        load_set(name, lake, catalog, MOMENT)
        members = content(lake, catalog)[PROGRAM_MEMBERS.table.name]
        with database.read() as connection:
            noted = connection.execute(
                sa.select(member_status.c.program, member_status.c.name).where(
                    member_status.c.subscription == subscription
                )
            ).all()
        assert {(row.program, row.name) for row in noted} == {
            (member["programId"], member["statusName"] or "") for member in members
        }


def test_a_set_that_is_loaded_again_changes_nothing(lake: Lake, database: Database) -> None:
    catalog = Catalog(database, "default")
    load_set("small", lake, catalog, MOMENT)
    wanted = content(lake, catalog)
    load_set("small", lake, catalog, MOMENT)
    assert content(lake, catalog) == wanted


def test_large_is_the_same_each_time_and_another_with_another_seed() -> None:
    def lines(**given: int) -> list[str]:
        chosen = set_named("large")
        records = chosen.records(MOMENT, chosen.values({**FEW["large"], **given}))
        return [json.dumps(record) for each in records.values() for record in each]

    assert lines() == lines()
    assert lines(seed=1) != lines()


def test_large_is_made_one_record_after_the_other() -> None:
    # A list of as many records would not fit anywhere.
    chosen = set_named("large")
    many = chosen.values({"leads": 10**12, "activities": 10**15})
    for each in chosen.records(MOMENT, many).values():
        assert len(list(islice(each, 3))) == 3


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("tiny", {}, "there is no set 'tiny'; the sets are empty, small, large, nasty"),
        ("small", {"leads": 1}, "leads: the set small has no such parameter; it has none"),
        ("large", {"size": 1}, "size: the set large has no such parameter; it has leads, .*"),
        ("large", {"leads": -1}, "leads: -1 is not a whole number of at least 0"),
        ("large", {"leads": True}, "leads: True is not a whole number of at least 0"),
        ("large", {"leads": "1"}, "leads: '1' is not a whole number of at least 0"),
    ],
)
def test_a_wrong_set_or_parameter_is_named(
    name: str, given: dict[str, Any], message: str, lake: Lake, database: Database
) -> None:
    with pytest.raises(SetError, match=message):
        load_set(name, lake, Catalog(database, "default"), MOMENT, **given)
