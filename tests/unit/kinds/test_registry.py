"""Kinds by name, and what follows from a kind that is registered."""

from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any, NoReturn

import pytest
from tests.support.opportunities import OPPORTUNITIES
from typer.testing import CliRunner

from outhaul.api.lookups import families
from outhaul.catalog.store import Catalog
from outhaul.cli import app
from outhaul.errors import ApiError
from outhaul.kinds import KINDS, find_kind, register, registry
from outhaul.kinds.custom_objects import CUSTOM_OBJECTS
from outhaul.kinds.filter import Context
from outhaul.kinds.kind import TypeUnknownError
from outhaul.kinds.leads import LEADS
from outhaul.kinds.list_members import LIST_MEMBERS
from outhaul.kinds.registry import (
    REGISTRY,
    KindError,
    Kinds,
    Registry,
    all_tables,
    name_jobs,
)


@pytest.fixture
def registered() -> Iterator[None]:
    register(OPPORTUNITIES)
    yield
    REGISTRY.unregister(OPPORTUNITIES.name)


def help_of(*words: str) -> str:
    done = CliRunner(env={"COLUMNS": "80"}).invoke(app, [*words, "--help"])
    assert done.exit_code == 0
    return done.stdout


def test_the_built_in_kinds() -> None:
    assert [*KINDS] == ["leads", "activities", "program-members", "custom-objects"]
    assert LIST_MEMBERS in REGISTRY.all()
    with pytest.raises(KeyError):
        KINDS["list-members"]


@pytest.mark.usefixtures("registered")
def test_a_registered_kind_is_everywhere(context: Context, catalog: Catalog) -> None:
    assert KINDS["opportunities"] is find_kind("opportunities", context) is OPPORTUNITIES
    assert OPPORTUNITIES.table in all_tables(catalog)
    assert "/rest/v1/opportunities/describe.json" in {e.path for e in families()["fields"]}
    for command in ("load", "extract"):
        assert "  opportunities " in help_of(command)
        assert f"outhaul {command} opportunities" in help_of(command, "opportunities")
    assert "OUTHAUL_STAGES" in help_of("extract", "opportunities")


def test_a_kind_that_is_not_registered_is_nowhere(context: Context, catalog: Catalog) -> None:
    assert "opportunities" not in KINDS
    with pytest.raises(KindError, match=r"the kind 'opportunities' is unknown here; is the pack"):
        find_kind("opportunities", context)
    assert OPPORTUNITIES.table not in all_tables(catalog)
    for command in ("load", "extract"):
        assert "opportunities" not in help_of(command)
        assert CliRunner().invoke(app, [command, "opportunities", "--help"]).exit_code == 2


@pytest.mark.parametrize(
    ("changes", "shared"),
    [
        ({}, "the name 'leads', the path 'leads', the table 'leads'"),
        ({"name": "people", "path": "people"}, "the table 'leads'"),
        ({"name": "people", "loading": OPPORTUNITIES.loading}, "the path 'leads'"),
        ({"path": "people", "loading": OPPORTUNITIES.loading}, "the name 'leads'"),
    ],
)
def test_what_another_kind_has_is_taken(changes: dict[str, Any], shared: str) -> None:
    kinds = Registry(LEADS)
    with pytest.raises(KindError, match=f"shares {shared} with the kind 'leads'"):
        kinds.register(replace(LEADS, **changes))
    assert kinds.all() == [LEADS]


def test_entry_points_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    point = EntryPoint("o", "tests.support.opportunities:OPPORTUNITIES", "outhaul.kinds")

    def entry_points(group: str) -> EntryPoints:
        asked.append(group)
        return EntryPoints([point])

    monkeypatch.setattr(registry, "entry_points", entry_points)
    found = Kinds(Registry(LEADS, LIST_MEMBERS, group="outhaul.kinds"))
    assert [*found] == ["leads", "opportunities"]
    assert len(found) == 2
    assert asked == ["outhaul.kinds"]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("tests.support.opportunities:TABLE", "names no kind"),
        ("tests.support.nowhere:KIND", "cannot be loaded: ModuleNotFoundError: No module named"),
        ("tests.support.opportunities:NONE", "cannot be loaded: AttributeError: module "),
    ],
)
def test_an_entry_point_that_does_not_fit(
    monkeypatch: pytest.MonkeyPatch, value: str, problem: str
) -> None:
    good = EntryPoint("g", "tests.support.opportunities:OPPORTUNITIES", "outhaul.kinds")
    point = EntryPoint("o", value, "outhaul.kinds")
    monkeypatch.setattr(registry, "entry_points", lambda group: EntryPoints([good, point]))  # noqa: ARG005
    kinds = Registry(LEADS, group="outhaul.kinds")
    for _ in range(2):
        with pytest.raises(KindError) as caught:
            kinds.all()
        said = f"the entry point 'o' of the group 'outhaul.kinds', {value}"
        assert str(caught.value).startswith(said)
        assert problem in str(caught.value)


@pytest.mark.parametrize(
    "words", [("load", "leads"), ("extract", "--help"), ("serve", "--data"), ("worker", "--data")]
)
def test_commands_say_which_entry_point_does_not_fit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...]
) -> None:
    def fail(_: Registry) -> NoReturn:
        raise KindError("the entry point 'o' does not fit")

    monkeypatch.setattr(Registry, "all", fail)
    folder = (str(tmp_path),) if words[-1] == "--data" else ()
    done = CliRunner().invoke(app, [*words, *folder])
    assert done.exit_code == 1
    assert done.stderr == "error: the entry point 'o' does not fit\n"


def test_the_module_of_an_entry_point_may_register_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = Registry(LEADS, group="outhaul.kinds")

    class Registering(EntryPoint):
        def load(self) -> Any:
            kinds.register(LIST_MEMBERS)
            return OPPORTUNITIES

    point = Registering("o", "somewhere:KIND", "outhaul.kinds")
    monkeypatch.setattr(registry, "entry_points", lambda group: EntryPoints([point]))  # noqa: ARG005
    assert kinds.all() == [LEADS, LIST_MEMBERS, OPPORTUNITIES]


def test_jobs_of_each_type_of_records_are_named_apart(context: Context) -> None:
    assert name_jobs(LEADS, None) == "leads"
    assert name_jobs(CUSTOM_OBJECTS, "boat_c") == "custom-objects/boat_c"
    with pytest.raises(ApiError, match="there is no custom object type 'boat_c'; there are none"):
        find_kind("custom-objects/boat_c", context)
    with pytest.raises(TypeUnknownError, match="the catalog has no custom object type 'boat_c'"):
        CUSTOM_OBJECTS.loading_of(context.catalog, "boat_c")


def test_the_path_of_a_type() -> None:
    assert CUSTOM_OBJECTS.path_of("boat_c") == "customobjects/boat_c"
    assert LEADS.path_of(None) == "leads"
