"""No module imports itself by way of others, nor does a package; import-linter holds the layers."""

import tomllib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from graphlib import CycleError, TopologicalSorter

import grimp
import pytest
from tests.support.paths import ROOT

GRAPH = grimp.build_graph("outhaul", cache_dir=None)
"""With the imports that only a type checker makes, and with those within functions."""

MODULES = {name: GRAPH.find_modules_directly_imported_by(name) for name in GRAPH.modules}


def packages(depth: int) -> Mapping[str, AbstractSet[str]]:
    """Return the imports between packages that are at most so deep, by the names of both."""
    found: dict[str, set[str]] = {}
    for importer, imported in MODULES.items():
        name = _cut(importer, depth)
        found.setdefault(name, set()).update(_cut(other, depth) for other in imported)
        found[name].discard(name)
    return found


def _cut(name: str, depth: int) -> str:
    return ".".join(name.split(".")[: depth + 1])


def cycle(imports: Mapping[str, AbstractSet[str]]) -> list[str]:
    """Return a cycle, each module after the one that imports it; none is an empty list."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        found: list[str] = error.args[1][::-1]
        return found
    return []


def test_a_cycle_is_found() -> None:
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) in (["b", "c", "b"], ["c", "b", "c"])
    assert cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert len(MODULES) > 100
    assert cycle(MODULES) == []


@pytest.mark.parametrize("depth", [1, 2])
def test_no_package_imports_itself_by_way_of_others(depth: int) -> None:
    assert cycle(packages(depth)) == []


def test_the_layers_have_no_exceptions() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    contracts = settings["contracts"]
    assert contracts
    for contract in contracts:
        assert "ignore_imports" not in contract, contract["name"]
