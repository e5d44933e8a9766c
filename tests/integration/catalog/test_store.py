import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples
from tests.support.paths import REAL_EXPORTS, needs_real_exports

from outhaul.catalog.built_in import standard_entries
from outhaul.catalog.entries import (
    ActivityType,
    Asset,
    AssetType,
    Entries,
    LeadField,
    parse_catalog,
)
from outhaul.catalog.selection import Selection
from outhaul.catalog.store import Catalog
from outhaul.database.engine import Database
from outhaul.database.schema import subscription

DESCRIBE = REAL_EXPORTS / "lead_describe.json"
MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)
STANDARD = standard_entries().lead_fields
NAMES = st.sampled_from([entry.name for entry in STANDARD[:8]]) | st.text("abc", min_size=1)
IDS = st.sampled_from([entry.id for entry in STANDARD]) | st.integers(1, 3_000)
FIELDS = st.lists(
    st.builds(LeadField, id=IDS, name=NAMES, display_name=NAMES, data_type=st.just("string")),
    unique_by=(lambda entry: entry.id, lambda entry: entry.name),
    max_size=8,
)
NUMBERS = itertools.count()


@pytest.fixture
def catalog(database: Database) -> Catalog:
    return Catalog(database, "default")


@pytest.fixture(scope="module")
def shared(database_url_of_module: str) -> Iterator[Database]:
    opened = Database(database_url_of_module)
    opened.migrate()
    yield opened
    opened.close()


def subscribe(database: Database, name: str) -> Catalog:
    with database.write() as connection:
        connection.execute(
            subscription.insert().values(name=name, limit_overrides={}, created_at=MOMENT)
        )
    return Catalog(database, name)


def lead_field(field_id: int, name: str, display_name: str = "Loaded") -> LeadField:
    return LeadField(
        id=field_id,
        name=name,
        display_name=display_name,
        data_type="string",
        description={"id": field_id, "displayName": display_name},
    )


def program(asset_id: int, name: str) -> Asset:
    return Asset(type=AssetType.PROGRAM, id=asset_id, name=name)


def form(asset_id: int, name: str, program: str | None = None) -> Asset:
    return Asset(type=AssetType.FORM, id=asset_id, name=name, program=program)


def ids_named(catalog: Catalog, *names: str) -> list[int]:
    return [entry.id for entry in catalog.assets_named(AssetType.FORM, names)]


def test_a_new_subscription_has_the_standard_entries(catalog: Catalog) -> None:
    assert tuple(catalog.lead_fields().values()) == STANDARD
    types = standard_entries().activity_types
    assert set(catalog.activity_types().values()) == set(types)
    assert not any(list(catalog.assets(kind)) for kind in AssetType)


def test_a_loaded_field_takes_the_place_of_the_standard_one_of_its_name(catalog: Catalog) -> None:
    email = lead_field(9_000, "email", "E-Mail")
    catalog.store(Entries(lead_fields=(email, lead_field(9_001, "favourite"))))
    fields = catalog.lead_fields()
    assert fields["email"] == email
    assert fields["email"].description == email.description
    assert list(fields) == [*(entry.name for entry in STANDARD), "favourite"]
    assert len(fields) == len(STANDARD) + 1


def test_a_standard_field_whose_id_is_taken_is_given_another(catalog: Catalog) -> None:
    taken, other = STANDARD[0], STANDARD[1]
    catalog.store(Entries(lead_fields=(lead_field(taken.id, "favourite"),)))
    fields = catalog.lead_fields()
    moved = fields[taken.name]
    assert fields["favourite"].id == taken.id
    assert moved.id not in {entry.id for entry in STANDARD}
    assert moved.description == {**taken.description, "id": moved.id}
    assert moved.display_name == taken.display_name
    assert fields[other.name] == other
    assert standard_entries().lead_fields[0] == taken


@examples(50)
@given(loaded=FIELDS)
def test_ids_are_one_to_a_field_and_loaded_fields_keep_theirs(
    shared: Database, loaded: list[LeadField]
) -> None:
    catalog = subscribe(shared, f"s{next(NUMBERS)}")
    catalog.store(Entries(lead_fields=tuple(loaded)))
    fields = catalog.lead_fields()
    assert set(fields) == {entry.name for entry in (*STANDARD, *loaded)}
    assert len({entry.id for entry in fields.values()}) == len(fields)
    assert all(name == entry.name for name, entry in fields.items())
    assert all(fields[entry.name] == entry for entry in loaded)


def test_a_loaded_type_takes_the_place_of_the_standard_one_of_its_id(catalog: Catalog) -> None:
    count = len(standard_entries().activity_types)
    changed = ActivityType(id=13, name="Changed", description={"id": 13, "name": "Changed"})
    custom = ActivityType(id=100_001, name="Custom", description={"id": 100_001})
    catalog.store(Entries(activity_types=(custom, changed)))
    types = catalog.activity_types()
    assert (types[13], types[100_001]) == (changed, custom)
    assert types[13].description == changed.description
    assert list(types) == sorted(types)
    assert len(types) == count + 1


def test_loading_again_replaces_entries_of_the_same_name_or_id(catalog: Catalog) -> None:
    for n in (1, 2):
        catalog.store(
            Entries(
                lead_fields=(lead_field(9_000 + n, "favourite", f"Favourite {n}"),),
                activity_types=(ActivityType(id=100_001, name=f"Custom {n}"),),
                assets=(form(7, f"Form {n}", None if n == 1 else "Fair"),),
            )
        )
    assert catalog.lead_fields()["favourite"] == lead_field(9_002, "favourite", "Favourite 2")
    assert catalog.activity_types()[100_001].name == "Custom 2"
    assert list(catalog.assets(AssetType.FORM)) == [form(7, "Form 2", "Fair")]


def test_a_file_is_stored_whole_or_not_at_all(catalog: Catalog) -> None:
    too_long = form(2**63, "beyond what a column holds")
    with pytest.raises((sa.exc.DBAPIError, OverflowError)):
        catalog.store(
            Entries(lead_fields=(lead_field(9_000, "favourite"),), assets=(form(1, "a"), too_long))
        )
    assert "favourite" not in catalog.lead_fields()
    assert list(catalog.assets(AssetType.FORM)) == []


def test_a_subscription_does_not_see_the_entries_of_another(
    database: Database, catalog: Catalog
) -> None:
    other = subscribe(database, "other")
    other.store(
        Entries(
            lead_fields=(lead_field(9_000, "favourite"),),
            activity_types=(ActivityType(id=100_001, name="Custom"),),
            assets=(form(1, "a"),),
        )
    )
    assert "favourite" not in catalog.lead_fields()
    assert 100_001 not in catalog.activity_types()
    assert list(catalog.assets(AssetType.FORM)) == []
    assert catalog.asset(AssetType.FORM, 1) is None
    assert ids_named(catalog, "a") == []
    catalog.store(Entries(assets=(form(1, "mine"),)))
    assert other.asset(AssetType.FORM, 1) == form(1, "a")


def test_assets_come_by_type_and_id(catalog: Catalog) -> None:
    catalog.store(Entries(assets=(form(2, "b"), form(1, "a", "Fair"), program(1, "Fair"))))
    assert list(catalog.assets(AssetType.FORM)) == [form(1, "a", "Fair"), form(2, "b")]
    assert catalog.asset(AssetType.FORM, 1) == form(1, "a", "Fair")
    assert catalog.asset(AssetType.PROGRAM, 1) == program(1, "Fair")
    assert catalog.asset(AssetType.FORM, 3) is None
    assert catalog.asset(AssetType.STATIC_LIST, 1) is None


def test_an_asset_is_found_by_its_qualified_name_and_by_its_bare_one(catalog: Catalog) -> None:
    catalog.store(
        Entries(
            assets=(
                form(1, "Sign up", "Fair"),
                form(2, "Sign up", "Webinar"),
                form(3, "Sign up"),
                form(4, "Contact", "Fair"),
                program(5, "Sign up"),
            )
        )
    )
    assert ids_named(catalog, "Fair.Sign up") == [1]
    assert ids_named(catalog, "Sign up") == [1, 2, 3]
    assert ids_named(catalog, "Fair.Contact", "Webinar.Sign up") == [2, 4]
    assert ids_named(catalog, "Fair.Missing", "Fair", "sign up", "") == []
    assert ids_named(catalog) == []


def test_names_with_dots_are_found_qualified_and_bare(catalog: Catalog) -> None:
    catalog.store(
        Entries(
            assets=(
                form(1, "v1.2 form", "Fair"),
                form(2, "2 form", "Fair.v1"),
                form(3, "v1.2 form"),
                form(4, "2 form"),
                form(5, "form.", "a..b"),
                form(6, ".form"),
            )
        )
    )
    # Both stand for it: the one's program has no dot, the other's has.
    assert ids_named(catalog, "Fair.v1.2 form") == [1, 2]
    assert ids_named(catalog, "v1.2 form") == [1, 3]
    assert ids_named(catalog, "2 form") == [2, 4]
    assert ids_named(catalog, "a..b.form.") == [5]
    assert ids_named(catalog, ".form") == [6]


@examples(50)
@given(
    assets=st.lists(
        st.tuples(st.text("ab.", min_size=1, max_size=4), st.none() | st.text("ab.", max_size=3)),
        max_size=6,
    ),
    names=st.sets(st.text("ab.", max_size=6), max_size=4),
)
def test_assets_named_are_those_whose_bare_or_qualified_name_is_asked_for(
    shared: Database, assets: list[tuple[str, str | None]], names: set[str]
) -> None:
    catalog = subscribe(shared, f"s{next(NUMBERS)}")
    forms = [form(n, name, program) for n, (name, program) in enumerate(assets)]
    catalog.store(Entries(assets=tuple(forms)))
    wanted = [entry for entry in forms if entry.name in names or entry.qualified_name in names]
    assert catalog.assets_named(AssetType.FORM, names) == wanted


@needs_real_exports
def test_the_fields_of_a_live_instance_are_stored_beside_the_standard_ones(
    catalog: Catalog,
) -> None:
    entries = parse_catalog(json.loads(DESCRIBE.read_text("utf-8")))
    catalog.store(entries)
    fields = catalog.lead_fields()
    assert all(fields[entry.name] == entry for entry in entries.lead_fields)
    assert {entry.name for entry in STANDARD} <= set(fields)
    assert len({entry.id for entry in fields.values()}) == len(fields)


def test_what_no_database_keeps_is_replaced_in_an_entry(catalog: Catalog) -> None:
    said = {"workspace": "a\0b", "deep": [{"n\0": "\0"}]}
    name = "Program \0"
    catalog.store(
        parse_catalog({"programs": [{"id": 1, "name": name, **said}]}),
    )
    for wanted in (Selection(workspaces=["a\0b"]), Selection(names=[name])):
        (found,) = catalog.browse(AssetType.PROGRAM, wanted, size=10)
        assert found.name == "Program \N{REPLACEMENT CHARACTER}"
    kept = found.description
    assert kept["workspace"] == "a\N{REPLACEMENT CHARACTER}b"
    assert kept["deep"] == [{"n\N{REPLACEMENT CHARACTER}": "\N{REPLACEMENT CHARACTER}"}]


def test_what_members_were_loaded_is_noted_once(database: Database, catalog: Catalog) -> None:
    noted = [(1, "Invited"), (1, None), (2**40, "Invited"), (1, "a\0b"), (3, "\N{SNOWMAN}")]
    for _ in range(2):
        catalog.note_member_statuses(noted)
    catalog.note_member_statuses([])
    assert set(catalog.member_statuses()) == {"Invited", "\N{SNOWMAN}"}
    assert [n for n in (1, 2, 3, 2**40, 2**31) if catalog.has_program(n)] == [1, 3, 2**40]
    assert Catalog(database, "elsewhere").member_statuses() == set()
