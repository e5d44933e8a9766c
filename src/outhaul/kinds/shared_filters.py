"""Filters that several kinds have."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from outhaul.catalog.entries import Asset, AssetType, CatalogError
from outhaul.errors import Error
from outhaul.kinds.filter import Context, Filter, FiltersError, Rule
from outhaul.kinds.options import Option, integer_option, text_option, window_option
from outhaul.lake.clauses import MemberOf, Within
from outhaul.lake.tables import CHANGED_AT
from outhaul.protocol.body import read_integer, read_text, read_window
from outhaul.protocol.instants import parse_instant, render_instant
from outhaul.protocol.shapes import TEXT, WINDOW, WRITTEN_INTEGER, Shape, described
from outhaul.smart_lists.clause import InSmartList
from outhaul.smart_lists.stored import rules_of

if TYPE_CHECKING:
    from outhaul.catalog.store import Catalog


def created_at(column: str, *, first: bool = False) -> Filter:
    """Return the filter `createdAt` over a column.

    With `first`, the help shows its option before `--fields`.
    """
    text = (
        "Records created from START to END, both included: {}. A date alone is its midnight, UTC; "
        "without END, up to now. A period of any length: more than 31 days become several jobs."
    )
    return window("createdAt", column, window_option("--created-at", text, first=first))


def updated_at(plural: str) -> Filter:
    """Return the filter `updatedAt`, which tests when any field of a record changed last.

    A request with it is refused (1035) unless the limit `updated_at_filter` is true.
    """
    text = (
        f"{plural} last changed from START to END, a period of any length: {{}}. Without END, up "
        "to now. Some subscriptions have no such filter."
    )
    option = window_option("--updated-at", text)
    return window("updatedAt", CHANGED_AT, option, needs_limit="updated_at_filter")


def window(
    name: str, column: str, option: Option | None = None, *, needs_limit: str | None = None
) -> Filter:
    """Return a filter for a window of time over a column, given as `startAt` and `endAt`.

    With `needs_limit`, a request with it is refused (1035) unless that limit is true.
    """

    def read(value: object, parameter: str, context: Context) -> list[str]:
        if needs_limit and not getattr(context.limits, needs_limit):
            raise Error.FILTER_UNSUPPORTED()
        found = read_window(value, parameter, context.limits.date_range_days)
        return [render_instant(found.start), render_instant(found.end)]

    def clause(filters: Mapping[str, Any], _: Context) -> Within:
        start, end = filters[name]
        return Within(column, parse_instant(start), parse_instant(end))

    return Filter(name=name, shape=WINDOW, read=read, clause=clause, option=option)


def static_list_id(name: str, lead: str = "id") -> Filter:
    """Return a filter for the members of the static list with an id.

    `lead` is the column with a lead's id.
    """

    def read(value: object, parameter: str, context: Context) -> int:
        list_id = read_integer(value, parameter)
        if context.catalog.asset(AssetType.STATIC_LIST, list_id) is None:
            raise Error.INVALID(parameter=parameter, problem=f"there is no static list {list_id}")
        return list_id

    shape = described(WRITTEN_INTEGER, "The id of a static list.")
    option = integer_option(
        "--static-list-id", "Members of the static list with this id: {}.", 1001
    )
    return Filter(name=name, shape=shape, read=read, clause=_member_of(name, lead), option=option)


def static_list_name(name: str, lead: str = "id") -> Filter:
    """Return a filter for the members of the static list with a name.

    The name may be qualified by the program of the list. The job stores the id of the list, so that
    renaming the list before the job runs does not change the request.
    """

    def read(value: object, parameter: str, context: Context) -> int:
        text = read_text(value, parameter)
        found = _assets_named(context.catalog, AssetType.STATIC_LIST, text)
        if len(found) != 1:
            problem = f"there is no static list '{text}'"
            if found:
                names = ", ".join(entry.qualified_name for entry in found)
                problem = f"several static lists have the name '{text}': {names}"
            raise Error.INVALID(parameter=parameter, problem=problem)
        return found[0].id

    shape = described(TEXT, "The name of a static list, or `program.list`.")
    return Filter(
        name=name,
        shape=shape,
        read=read,
        clause=_member_of(name, lead),
        option=text_option("--static-list-name", "Members of the static list '{}'.", "Newsletter"),
    )


def smart_list_id(name: str, lead: str = "id") -> Filter:
    """Return a filter for the leads of the smart list with an id.

    `lead` is the column with a lead's id. A request with this filter is refused (1035) unless the
    limit `smart_list_filters` is true.
    """

    def read(value: object, parameter: str, context: Context) -> int:
        _need_smart_lists(context)
        list_id = read_integer(value, parameter)
        entry = context.catalog.asset(AssetType.SMART_LIST, list_id)
        if entry is None:
            raise Error.INVALID(parameter=parameter, problem=f"there is no smart list {list_id}")
        return _usable(entry, parameter, context)

    shape = described(WRITTEN_INTEGER, "The id of a smart list.")
    option = integer_option("--smart-list-id", "Members of the smart list with this id: {}.", 2001)
    return Filter(
        name=name, shape=shape, read=read, clause=_in_smart_list(name, lead), option=option
    )


def smart_list_name(name: str, lead: str = "id") -> Filter:
    """Return a filter for the leads of the smart list with a name.

    The name may be qualified by the program of the list. The job stores the id, as with static
    lists.
    """

    def read(value: object, parameter: str, context: Context) -> int:
        _need_smart_lists(context)
        text = read_text(value, parameter)
        found = _assets_named(context.catalog, AssetType.SMART_LIST, text)
        if len(found) != 1:
            problem = f"there is no smart list '{text}'"
            if found:
                names = ", ".join(entry.qualified_name for entry in found)
                problem = f"several smart lists have the name '{text}': {names}"
            raise Error.INVALID(parameter=parameter, problem=problem)
        return _usable(found[0], parameter, context)

    shape = described(TEXT, "The name of a smart list, or `program.list`.")
    option = text_option("--smart-list-name", "Members of the smart list '{}'.", "Active customers")
    return Filter(
        name=name, shape=shape, read=read, clause=_in_smart_list(name, lead), option=option
    )


def exactly_one_of(filters: tuple[Filter, ...]) -> Rule:
    """Return the rule that a request has exactly one of these filters."""

    def check(given: Mapping[str, Any], _: Context) -> None:
        if len(given) != 1:
            expected = ", ".join(entry.name for entry in filters)
            raise Error.INVALID(
                parameter="filter",
                problem=f"expected exactly one of {expected}; got {', '.join(given) or 'none'}",
            )

    def check_options(given: Mapping[str, Any]) -> None:
        if len(given) != 1:
            names = (entry.name for entry in filters if entry.option)
            raise FiltersError(f"a job has one of these filters, not {len(given)}", *names)

    shape: Shape = {"minProperties": 1, "maxProperties": 1}
    return Rule(check=check, shape=shape, check_options=check_options)


def _assets_named(catalog: "Catalog", of: AssetType, text: str) -> list[Asset]:
    """Return the assets with a name. If there are none, blanks around the name are ignored."""
    found = catalog.assets_named(of, [text])
    return list(found or catalog.assets_named(of, [text.strip()]))


def _member_of(name: str, lead: str) -> Callable[[Mapping[str, Any], Context], MemberOf]:
    return lambda filters, _: MemberOf(filters[name], lead)


def _need_smart_lists(context: Context) -> None:
    """Raise 1035 if these filters are off, or if the catalog has no smart list.

    After 1035, clients use another filter, which works in both cases.
    """
    lists = context.catalog.assets(AssetType.SMART_LIST)
    if not context.limits.smart_list_filters or next(iter(lists), None) is None:
        raise Error.FILTER_UNSUPPORTED()


def _usable(entry: Asset, parameter: str, context: Context) -> int:
    """Return the id of a smart list. Raises 1003 if its rules are not valid in the catalog now."""
    try:
        rules_of(context.catalog, entry)
    except CatalogError as error:
        raise Error.INVALID(parameter=parameter, problem=str(error)) from None
    return entry.id


def _in_smart_list(name: str, lead: str) -> Callable[[Mapping[str, Any], Context], InSmartList]:
    """Return a function for the clause, which uses the rules when the job begins processing."""

    def clause(filters: Mapping[str, Any], context: Context) -> InSmartList:
        entry = context.catalog.asset(AssetType.SMART_LIST, filters[name])
        if entry is None:
            raise CatalogError(f"there is no smart list {filters[name]} any more")
        return InSmartList(rules_of(context.catalog, entry), context.moment, lead)

    return clause
