import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.paths import ROOT

TESTS = ROOT / "tests"
FOLDERS = ("unit", "integration", "acceptance", "support")
MODULES = [
    TESTS / "conftest.py",
    *(path for folder in FOLDERS for path in sorted((TESTS / folder).rglob("*.py"))),
]
OURS = [path for path in MODULES if not {".venv", "node_modules"} & set(path.parts)]


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(TESTS)))
def test_tests_share_what_is_in_support_and_nothing_else(path: Path) -> None:
    of_tests = {name for name in imported(path) if name.startswith("tests.")}
    assert {name for name in of_tests if not name.startswith("tests.support")} == set()


@pytest.mark.parametrize("kind", ["unit", "integration"])
def test_folders_mirror_the_package(kind: str) -> None:
    folders = {
        path.parent.relative_to(TESTS / kind)
        for path in OURS
        if path.is_relative_to(TESTS / kind) and path.parent != TESTS / kind
    } - {Path("support")}
    assert folders
    for folder in folders:
        assert (ROOT / "src" / "outhaul" / folder).is_dir(), folder
