"""Filters that several kinds have."""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from outhaul.catalog.entries import AssetType
from outhaul.errors import Error
from outhaul.kinds.kind import Context, Filter
from outhaul.lake.predicates import MemberOf, Within
from outhaul.protocol.body import read_integer, read_text, read_window
from outhaul.protocol.instants import parse_instant, render_instant


def window(name: str, column: str, *, needs_setting: str | None = None) -> Filter:
    """Return a filter for a window of time over a column, given as `startAt` and `endAt`.

    With `needs_setting` it is there only where that limit of the subscription says so (1035).
    """

    def read(value: object, parameter: str, context: Context) -> list[str]:
        if needs_setting and not getattr(context.limits, needs_setting):
            raise Error.FILTER_UNSUPPORTED()
        found = read_window(value, parameter, context.limits.date_range_days)
        return [render_instant(found.start), render_instant(found.end)]

    def clause(filters: Mapping[str, Any], _: Context) -> Within:
        start, end = filters[name]
        return Within(column, parse_instant(start), parse_instant(end))

    return Filter(name=name, read=read, clause=clause)


def static_list_id(name: str) -> Filter:
    """Return a filter for the members of the static list that has this id."""

    def read(value: object, parameter: str, context: Context) -> int:
        list_id = read_integer(value, parameter)
        if context.catalog.asset(AssetType.STATIC_LIST, list_id) is None:
            raise Error.INVALID(parameter=parameter, problem=f"there is no static list {list_id}")
        return list_id

    return Filter(name=name, read=read, clause=_member_of(name))


def static_list_name(name: str) -> Filter:
    """Return a filter for the members of the static list that has this name.

    The name may be qualified by the list's program; the job keeps the list's id, so that the list
    stays the one that was meant, whatever its name is when the job runs.
    """

    def read(value: object, parameter: str, context: Context) -> int:
        text = read_text(value, parameter)
        found = context.catalog.assets_named(AssetType.STATIC_LIST, [text])
        if len(found) != 1:
            problem = f"there is no static list '{text}'"
            if found:
                names = ", ".join(entry.qualified_name for entry in found)
                problem = f"several static lists have the name '{text}': {names}"
            raise Error.INVALID(parameter=parameter, problem=problem)
        return found[0].id

    return Filter(name=name, read=read, clause=_member_of(name))


def unsupported(name: str) -> Filter:
    """Return a filter that no subscription has (1035)."""

    def refuse(*_: object) -> NoReturn:
        raise Error.FILTER_UNSUPPORTED()

    return Filter(name=name, read=refuse, clause=refuse)


def _member_of(name: str) -> Callable[[Mapping[str, Any], Context], MemberOf]:
    return lambda filters, _: MemberOf(filters[name])
