"""The pages say what the code does."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel
from tests.support.paths import DOCS, ROOT
from typer.main import get_command

from outhaul.cli.serve import serve_app, worker_app
from outhaul.errors import Error
from outhaul.kinds import KINDS
from outhaul.settings import ACCESS, INNER, LIMIT_SETS, Access, Limits, Settings

PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])


def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) else str(value)


@pytest.mark.parametrize("model", [Settings, Limits, *ACCESS.values()])
def test_every_setting_is_documented_in_the_words_of_the_code(model: type[BaseModel]) -> None:
    text = page("settings.md")
    for name, field in model.model_fields.items():
        shown_as = f"{model.PREFIX}{name.upper()}" if issubclass(model, Access) else name
        (row,) = re.findall(rf"^\| `{shown_as}` \|.*$", text, re.MULTILINE)
        assert row.endswith(f"| {field.description} |")


@pytest.mark.parametrize("name", Limits.model_fields)
def test_the_limits_of_both_sets_are_documented(name: str) -> None:
    (row,) = re.findall(rf"^\| `{name}` \| (.*?) \| (.*?) \|", page("settings.md"), re.MULTILINE)
    assert row == tuple(shown(getattr(LIMIT_SETS[each], name)) for each in ("marketo", "open"))


def test_no_setting_is_documented_that_there_is_not() -> None:
    documented = set(re.findall(r"^\| `(\w+)` \|", page("settings.md"), re.MULTILINE))
    variables = {
        f"{model.PREFIX}{name.upper()}" for model in ACCESS.values() for name in model.model_fields
    }
    assert documented == {*Settings.model_fields, *Limits.model_fields, *variables}


def test_the_settings_without_an_option_are_named() -> None:
    named = re.findall(r"`OUTHAUL_([A-Z_]+)`", page("settings.md").partition("\n## ")[0])
    with_option = {"data", "port", "limits"}  # examples of those that have one
    assert {name.lower() for name in named} - with_option == {*INNER}
    options = {
        parameter.name
        for command in (serve_app, worker_app)
        for parameter in get_command(command).params
    }
    assert {*Settings.model_fields} - options == {*INNER, *ACCESS, "limit_overrides"}


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
