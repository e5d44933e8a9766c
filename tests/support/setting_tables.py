"""The tables of `docs/settings.md`, made from the fields of the settings, and those of others.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`. Run as a program, this writes them
into the pages.
"""

import re
from collections.abc import Iterable, Iterator

from pydantic.fields import FieldInfo
from tests.support.paths import DOCS

from outhaul.declaration import Computed, Declared, Entries, Option, group_of, marked, option_name
from outhaul.limits import LIMIT_SETS, Limits
from outhaul.records.conversions import CONVERSIONS, Given
from outhaul.sample.sets import SETS
from outhaul.settings import Settings

PAGE = DOCS / "settings.md"
RECORDS = DOCS / "records.md"
SETS_PAGE = DOCS / "sets.md"

Tables = Iterable[tuple[str, list[str]]]


def with_tables(page: str) -> str:
    """Return the page of settings with its tables as they are to be."""
    return _with(page, _tables())


def with_conversions(page: str) -> str:
    """Return the page of records with the table of conversions as it is to be."""
    return _with(page, _conversions())


def with_sets(page: str) -> str:
    """Return the page of sets with its table as it is to be."""
    rows = ["| set | what it holds | parameters |", "|---|---|---|"]
    for each in SETS.values():
        parameters = "; ".join(
            f"`{name}` ({declared.default}): {declared.help}"
            for name, declared in each.parameters.items()
        )
        rows.append(f"| `{each.name}` | {each.help} | {parameters} |")
    return _with(page, [("sets", rows)])


def _with(page: str, made: Tables) -> str:
    """Return a page with tables. Every table must be in it."""
    tables = dict(made)
    found = re.findall(r"^<!-- table: (.*) -->$", page, re.MULTILINE)
    assert sorted(found) == sorted(tables), f"the page is to have the tables {sorted(tables)}"
    for name, rows in tables.items():
        start, end = f"<!-- table: {name} -->\n", "<!-- end -->"
        before, _, rest = page.partition(start)
        page = "".join((before, start, *(f"{row}\n" for row in rows), end, rest.partition(end)[2]))
    return page


def settable(model: type[Declared]) -> Iterator[str]:
    """Yield the environment variables of a model and of its groups."""
    for name, field in model.model_fields.items():
        if group := group_of(field):
            yield from settable(group)
        elif not marked(field, Entries):
            yield model.variable(name)


def _tables() -> Iterator[tuple[str, list[str]]]:
    fields = Settings.model_fields
    options = {name: field for name, field in fields.items() if marked(field, Option)}
    yield (
        "options",
        [
            *_head("option", "variable", "default", "what it is"),
            *(
                _row(f"`{option_name(name)}`", *_cells(Settings, name, field))
                for name, field in options.items()
            ),
        ],
    )
    others = {
        name: field
        for name, field in fields.items()
        if name not in options and not group_of(field) and not marked(field, Entries)
    }
    yield "variables", _of_variables(Settings, others)
    for name, field in fields.items():
        if group := group_of(field):
            yield name, _of_variables(group, group.model_fields)
    yield (
        "limits",
        [
            *_head("limit", *(f"`{name}`" for name in LIMIT_SETS), "what it is"),
            *(
                _row(
                    f"`{name}`",
                    *(_shown(getattr(limits, name)) for limits in LIMIT_SETS.values()),
                    field.description or "",
                )
                for name, field in Limits.model_fields.items()
            ),
        ],
    )


def _conversions() -> Tables:
    rows = [
        _row(f"`{of}`", *(taken[given].takes if given in taken else "—" for given in Given))
        for of, taken in CONVERSIONS.items()
    ]
    yield "conversions", [*_head("field", *Given), *rows]


def _of_variables(model: type[Declared], fields: dict[str, FieldInfo]) -> list[str]:
    rows = (_row(*_cells(model, name, field)) for name, field in fields.items())
    return [*_head("variable", "default", "what it is"), *rows]


def _cells(model: type[Declared], name: str, field: FieldInfo) -> tuple[str, str, str]:
    computed = marked(field, Computed)
    return (
        f"`{model.variable(name)}`",
        computed.words if computed else _typed(field.default),
        (field.description or "").replace("<", "\\<"),
    )


def _head(*cells: str) -> list[str]:
    return [_row(*cells), "|" + "---|" * len(cells)]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def _typed(value: object) -> str:
    """Return a default as people would type it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text("utf-8")), "utf-8")
    RECORDS.write_text(with_conversions(RECORDS.read_text("utf-8")), "utf-8")
    SETS_PAGE.write_text(with_sets(SETS_PAGE.read_text("utf-8")), "utf-8")
