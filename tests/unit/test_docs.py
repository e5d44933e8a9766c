"""The pages say what the code does."""

import re
from pathlib import Path

import pytest
from tests.support.paths import DOCS, ROOT
from tests.support.setting_tables import settable, with_tables
from typer import Typer
from typer.core import TyperOption
from typer.main import get_command

from outhaul.cli.serve import serve_app, worker_app
from outhaul.errors import Error
from outhaul.kinds import KINDS
from outhaul.settings import Limits, Settings

PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])


def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def test_the_tables_of_settings_are_those_of_the_code() -> None:
    assert with_tables(page("settings.md")) == page("settings.md"), "`make docs` writes them"


def test_every_setting_is_in_a_table() -> None:
    documented = set(re.findall(r"^\|.*?`(OUTHAUL_\w+)` \|", page("settings.md"), re.MULTILINE))
    assert documented == {*settable(Settings)}
    limits = set(re.findall(r"^\| `([a-z]\w+)` \|", page("settings.md"), re.MULTILINE))
    assert limits == {*Limits.model_fields}


@pytest.mark.parametrize("command", [serve_app, worker_app], ids=["serve", "worker"])
def test_the_help_of_options_is_the_text_of_the_documentation(command: Typer) -> None:
    found = [each for each in get_command(command).params if each.name in Settings.model_fields]
    assert found
    for each in found:
        assert isinstance(each, TyperOption)
        assert each.help == Settings.model_fields[each.name or ""].description


def test_the_error_codes_are_documented_and_no_others() -> None:
    text = page("protocol.md").partition("## Errors")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| ([\d, ]+) \|", text, re.MULTILINE)
    documented = {code for cell in cells for code in cell.split(", ")}
    assert documented == {error.code for error in Error}


@pytest.mark.parametrize("name", KINDS)
def test_the_filters_of_every_kind_are_documented(name: str) -> None:
    text = page("protocol.md")
    for entry in KINDS[name].filters:
        assert f"`{entry.name}`" in text


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text("utf-8"))
    for link in links:
        assert (path.parent / link).exists(), link
