"""The pages say what the code does."""

import re
import tomllib
from pathlib import Path

import pytest
from tests.support.paths import DOCS, ROOT
from tests.support.setting_tables import settable, with_conversions, with_sets, with_tables
from typer import Typer
from typer.core import TyperOption
from typer.main import get_command

from outhaul.catalog.store import Catalog
from outhaul.cli import serve, worker
from outhaul.errors import Error
from outhaul.export.formats import FORMATS
from outhaul.kinds import KINDS
from outhaul.kinds.custom_objects import table_of
from outhaul.kinds.registry import REGISTRY, all_tables
from outhaul.limits import Limits
from outhaul.settings import Settings

PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
GLOSSARY = DOCS / "glossary.md"

HOUSE_WORDS = (
    r"whoever",
    r"whatever runs",
    r"stretch(es)?",
    r"go(es)? with",
    r"there (is|are) (none|nothing) of",
    r"that there (is|are)",
    r"of ours",
    r"anew",
    r"meanwhile",
    r"beside",
    r"hand(s|ed)? on",
    r"much the same",
    r"chores?",
    r"is told of",
    r"is away",
    r"kept",
    r"by itself",
    r"besides",
    r"misfits?",
)
"""Words that readers stumbled over, as patterns. CHANGELOG.md and the pages do without them."""


def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def test_the_tables_of_settings_are_those_of_the_code() -> None:
    assert with_tables(page("settings.md")) == page("settings.md"), "`make docs` writes them"


def test_the_table_of_conversions_is_that_of_the_code() -> None:
    assert with_conversions(page("records.md")) == page("records.md"), "`make docs` writes it"


def test_the_table_of_sets_is_that_of_the_code() -> None:
    assert with_sets(page("sets.md")) == page("sets.md"), "`make docs` writes it"


def test_every_setting_is_in_a_table() -> None:
    documented = set(re.findall(r"^\|.*?`(OUTHAUL_\w+)` \|", page("settings.md"), re.MULTILINE))
    assert documented == {*settable(Settings)}
    limits = set(re.findall(r"^\| `([a-z]\w+)` \|", page("settings.md"), re.MULTILINE))
    assert limits == {*Limits.model_fields}


@pytest.mark.parametrize("command", [serve.app, worker.app], ids=["serve", "worker"])
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
def test_every_kind_has_a_row_with_its_path_and_its_filters(name: str) -> None:
    kind = KINDS[name]
    text = page("protocol.md").partition("## What a job asks for")[2].partition("\n## ")[0]
    (row,) = re.findall(rf"^\| {kind.plural} \| .*$", text, re.MULTILINE)
    assert f"| `{kind.path}` |" in row
    for entry in kind.filters:
        assert f"`{entry.name}`" in row
    areas = {permission.partition(" ")[2] for permission in kind.permissions}
    assert f"| {', '.join(areas)} |" in row


def test_the_describe_calls_of_every_kind_are_documented() -> None:
    for kind in KINDS.values():
        for entry in kind.descriptions:
            assert f"`{entry.path}`" in page("protocol.md")


def test_every_table_has_a_row_with_its_key(catalog: Catalog) -> None:
    # Each custom object type has a table of its own.
    tables = [*all_tables(catalog), table_of("…", lead=None)]
    text = page("records.md").partition("## The tables")[2]
    rows = dict(re.findall(r"^\| `(\w+…?)` \| ([^|]+) \|", text, re.MULTILINE))
    keys = {table.name: ", ".join(f"`{name}`" for name in table.key) for table in tables}
    assert rows == keys


def test_every_command_of_load_is_documented() -> None:
    for records in REGISTRY.all():
        assert records.name in page("records.md").partition("## Loading")[2][:200]


def anchors(path: Path) -> set[str]:
    """Return what links to the headings of a page end in."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", path.read_text("utf-8"))
    for link, anchor in links:
        target = path.parent / link if link else path
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), f"{link}#{anchor}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_do_without_house_words(path: Path) -> None:
    # Settings are described in the code; code and names of programs are no prose.
    text = re.sub(
        r"<!-- table.*?<!-- end -->|```.*?```|`[^`]*`", "", path.read_text("utf-8"), flags=re.DOTALL
    )
    pattern = rf"\b({'|'.join(HOUSE_WORDS)})\b"
    assert [found.group() for found in re.finditer(pattern, text, re.IGNORECASE)] == []


def words_of_the_glossary() -> list[str]:
    return re.findall(r"^\| \*\*(.+?)\*\* \|", page("glossary.md"), re.MULTILINE)


def test_the_glossary_defines_each_word_once() -> None:
    words = words_of_the_glossary()
    assert len(words) > 20
    assert len({*words}) == len(words)


def test_the_words_of_the_glossary_are_used() -> None:
    sources = [*(each for each in PAGES if each != GLOSSARY), *(ROOT / "src").rglob("*.py")]
    text = "\n".join(each.read_text("utf-8") for each in sources)
    for word in words_of_the_glossary():
        pattern = r"\s+".join(word.split())
        assert re.search(rf"\b{pattern}s?\b", text, re.IGNORECASE), word


def test_the_design_names_every_package_in_the_order_of_the_layers() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    expected = [sorted(re.split(r" [|:] ", layer)) for layer in layers]
    text = page("design.md").partition("## Packages")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.+?`) \|", text, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    for layer in expected:
        assert sorted(named[: len(layer)]) == layer
        del named[: len(layer)]
    assert named == []


def test_every_format_is_documented() -> None:
    text = page("protocol.md").partition("## Formats")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w.]+)` \| `(.+?)` \| `(.+?)` \|", text, re.MULTILINE)
    assert rows == [(each.name, each.media_type, each.extension) for each in FORMATS.values()]
