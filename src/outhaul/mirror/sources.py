"""What an endpoint answers to look-ups: its catalog, and records that it does not export.

All functions raise `ClientError`. Entries of a catalog are passed on as they came, whatever they
are. No list is read without an end: an endpoint can ignore a page token or an offset, can answer
the same page again, and can have entries removed while it is read.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from outhaul.client import AnswerError, CallsSpentError, HttpError, ProtocolError, Session
from outhaul.client.session import Call
from outhaul.protocol.instants import parse_instant, render_instant

_BATCH = 300
"""The largest page of calls of the lead database, and the most ids in one call."""

_ASSETS = 200
"""The largest page of calls about assets."""

_TYPES = 10
"""The most activity types in one call."""

_MOST_PAGES = 100_000
_STEPS_BACK = 20
_PAGES_WITHOUT_NEWS = 50
"""Pages that bring nothing new one after the other, before a list is taken to be at its end."""

_EMPTY_PAGES = 2_000
"""Pages of activities without a record one after the other. A live instance has hundreds of them:
each page covers some time."""

_LONGEST_QUERY = 6_000
"""Bytes. A live instance refuses a URI of more than 8 KB; longer parameters are sent by POST."""

_DELETE_LEAD = 37

Record = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Page:
    result: list[Any]
    token: str | None
    more: bool

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> "_Page":
        """Return the page in an envelope. An answer about assets has no `result` past the end."""
        result, token = answer.get("result"), answer.get("nextPageToken")
        if result is None:
            result = []
        if not isinstance(result, list):
            raise AnswerError("its result is no list")
        more = answer.get("moreResult")
        return cls(
            result=result,
            token=token if isinstance(token, str) and token else None,
            more=more in (True, "true") if more is not None else bool(result),
        )


def had(error: Exception) -> bool:
    """Return whether the endpoint answered, so that its other calls may well succeed.

    It refuses calls that it does not have, and those for which a permission is missing.
    """
    return isinstance(error, AnswerError | HttpError | ProtocolError) and not isinstance(
        error, CallsSpentError
    )


# The catalog


def lead_fields(session: Session) -> list[Any]:
    """Return the lead fields in the form of `leads/describe.json`.

    If that call fails, they are those of `describe2.json`, which have no ids.
    """
    try:
        return _ask(session, "/rest/v1/leads/describe.json").result
    except (AnswerError, HttpError, ProtocolError) as error:
        if not had(error):
            raise
        try:
            described = _ask(session, "/rest/v1/leads/describe2.json").result
        except (AnswerError, HttpError, ProtocolError):
            raise error from None
    return [_as_described(entry) for entry in _fields(described)]


def member_fields(session: Session) -> list[Any]:
    """Return the fields of program members, each with `name` and `dataType`."""
    try:
        return _fields(_ask(session, "/rest/v1/programs/members/describe.json").result)
    except (AnswerError, HttpError, ProtocolError) as error:
        if not had(error):
            raise
        try:
            return _fields(_ask(session, "/rest/v1/program/members/describe.json").result)
        except (AnswerError, HttpError, ProtocolError):
            raise error from None


def activity_types(session: Session) -> Iterator[Any]:
    """Yield the activity types."""
    return _by_offset(session, "/rest/v1/activities/types.json", {})


def custom_object_types(session: Session) -> Iterator[Any]:
    """Yield the custom object types. The entries may be without fields."""
    return _by_token(session, "/rest/v1/customobjects.json")


def custom_object_type(session: Session, api_name: str) -> Any:  # noqa: ANN401 - as it came
    """Return the description of one custom object type."""
    path = f"/rest/v1/customobjects/{quote(api_name, safe='')}/describe.json"
    for entry in _ask(session, path).result:
        return entry
    raise AnswerError(f"it does not describe {api_name!r}")


def static_lists(session: Session) -> Iterator[Any]:
    """Yield the static lists, with the names of their programs."""
    return _by_token(session, "/rest/v1/lists.json")


def campaigns(session: Session) -> Iterator[Any]:
    """Yield the smart campaigns, with the names of their programs."""
    return _by_token(session, "/rest/v1/campaigns.json")


def assets(session: Session, family: str) -> Iterator[Any]:
    """Yield the assets of a family: `programs`, `forms`, `staticLists` and so on."""
    return _by_offset(session, f"/rest/asset/v1/{family}.json", {"maxReturn": str(_ASSETS)})


def smart_list_rules(session: Session, list_id: int) -> Any:  # noqa: ANN401 - as it came
    """Return the rules of a smart list as the endpoint shows them; `None` if it shows none."""
    path = f"/rest/asset/v1/smartList/{list_id}.json"
    for entry in _ask(session, path, {"includeRules": "true"}).result:
        return entry.get("rules") if isinstance(entry, dict) else None
    return None


# Records


def deleted_leads(
    session: Session, since: datetime, until: datetime | None = None
) -> Iterator[Record]:
    """Yield the deletions of leads in a period, as activities that can be loaded.

    Both ends belong to the period.
    """
    for page in _activity_pages(session, "deletedleads", {}, since, until):
        yield from map(_deletion, page)


def lead_changes(
    session: Session, fields: Iterable[str], since: datetime, until: datetime | None = None
) -> Iterator[Record]:
    """Yield new leads, and the changes of some fields of leads, in a period.

    Both ends belong to the period. The records are as the endpoint sends them, with `leadId`.
    """
    params = {"fields": ",".join(fields)}
    for page in _activity_pages(session, "leadchanges", params, since, until):
        yield from page


def leads_by_id(session: Session, ids: Iterable[int], fields: Iterable[str]) -> Iterator[Record]:
    """Yield the leads with some ids. A lead that does not exist is left out."""
    names = ",".join(dict.fromkeys(["id", *fields]))
    for some in _slices(ids, _BATCH):
        params = {
            "filterType": "id",
            "filterValues": ",".join(map(str, some)),
            "fields": names,
            "batchSize": str(_BATCH),
        }
        for record in _by_token(session, "/rest/v1/leads.json", params):
            if isinstance(record, dict):
                yield record


def first_activity(session: Session, types: Iterable[int], since: datetime) -> datetime | None:
    """Return when the first activity of some types happened; `None` if there is none at all.

    If that takes too many calls, or an answer cannot be understood, return `since`: what is asked
    for begins there.
    """
    found: list[datetime] = []
    for some in _slices(types, _TYPES):
        params = {"activityTypeIds": ",".join(map(str, some))}
        try:
            pages = _activity_pages(session, "activities", params, since, empty=_PAGES_WITHOUT_NEWS)
            first = next(filter(None, map(_earliest, pages)), None)
        except AnswerError:
            return since
        if first is not None:
            found.append(first)
    return min(found, default=None)


def _activity_pages(  # noqa: PLR0913, PLR0917 - what is asked for, and the bounds
    session: Session,
    call: str,
    params: Mapping[str, str],
    since: datetime,
    until: datetime | None = None,
    empty: int = _EMPTY_PAGES,
) -> Iterator[list[Record]]:
    """Yield pages of activities from a moment on, the oldest first.

    A page can be without records, although more follow.
    """
    path = (
        f"/rest/v1/activities/{call}.json" if call != "activities" else "/rest/v1/activities.json"
    )
    start = Call(
        method="GET",
        path="/rest/v1/activities/pagingtoken.json",
        params={"sinceDatetime": render_instant(since)},
    )
    token: str | None = session.ask(_token, start)
    tokens, without = set[str](), 0
    while token is not None:
        tokens.add(token)
        page = _ask(session, path, {**params, "batchSize": str(_BATCH), "nextPageToken": token})
        records = [entry for entry in page.result if isinstance(entry, dict)]
        within = [entry for entry in records if until is None or not _is_after(entry, until)]
        if within:
            yield within
        if (records and not within) or not page.more:
            return
        without = 0 if records else without + 1
        if without >= empty:
            raise AnswerError(f"it sends no record on {without:,} pages, and says that more follow")
        if page.token is None or page.token in tokens:
            raise AnswerError("it says that more records follow, and has no token for them")
        token = page.token


def _deletion(record: Record) -> Record:
    """Return a deletion in the form that activities are loaded in."""
    attributes = record.get("attributes")
    if isinstance(attributes, list):
        attributes = {
            entry["name"]: entry.get("value")
            for entry in attributes
            if isinstance(entry, dict) and isinstance(entry.get("name"), str)
        }
    date = _date(record)
    shown = {
        "marketoGUID": record.get("marketoGUID") or str(record.get("id")),
        "leadId": record.get("leadId"),
        "activityDate": record.get("activityDate") if date is None else render_instant(date),
        "activityTypeId": record.get("activityTypeId") or _DELETE_LEAD,
        "campaignId": record.get("campaignId"),
        "primaryAttributeValueId": record.get("primaryAttributeValueId"),
        "primaryAttributeValue": record.get("primaryAttributeValue"),
        "attributes": attributes or {},
    }
    return {name: value for name, value in shown.items() if value is not None}


def _date(record: object) -> datetime | None:
    try:
        return parse_instant(str(record["activityDate"])) if isinstance(record, dict) else None
    except (KeyError, ValueError):
        return None


def _earliest(page: Iterable[Record]) -> datetime | None:
    return min(filter(None, map(_date, page)), default=None)


def _is_after(record: Record, moment: datetime) -> bool:
    date = _date(record)
    return date is not None and date > moment


# Pages


def _ask(session: Session, path: str, params: Mapping[str, str] | None = None) -> _Page:
    """Return a page. Parameters that are too long for a URI are sent as a form."""
    if params and len(urlencode(params)) > _LONGEST_QUERY:
        call = Call(method="POST", path=path, params={"_method": "GET"}, form=params)
    else:
        call = Call(method="GET", path=path, params=params)
    return session.ask(_Page.of, call)


def _token(answer: Mapping[str, Any]) -> str:
    token = _Page.of(answer).token
    if token is None:
        raise AnswerError("it has no page token")
    return token


def _by_token(
    session: Session, path: str, params: Mapping[str, str] | None = None, token: str | None = None
) -> Iterator[Any]:
    """Yield the entries of all pages, or of those from a page token on, each once."""
    params = {"batchSize": str(_BATCH)} if params is None else params
    is_new, without = _unseen(), 0
    for _ in range(_MOST_PAGES):
        position = {} if token is None else {"nextPageToken": token}
        page = _ask(session, path, {**params, **position})
        news = [entry for entry in page.result if is_new(entry)]
        yield from news
        without = 0 if news else without + 1
        is_same = page.token == token and not news
        if page.token is None or is_same or without >= _PAGES_WITHOUT_NEWS:
            return
        token = page.token


def _by_offset(session: Session, path: str, params: Mapping[str, str]) -> Iterator[Any]:
    """Yield the entries of all pages, each once.

    A page begins with the last entry of the page before, so that no entry is missed while others
    are removed and those that follow move. If a page begins with an entry that was not read yet,
    the page before is read again.
    """
    is_new, connected = _unseen(), set[str]()
    offset, size, steps, idle, overlaps = 0, 1, 0, 0, False
    for _ in range(_MOST_PAGES):
        page = _ask(session, path, {**params, "offset": str(offset)})
        yield from filter(is_new, page.result)
        if page.token is not None:
            yield from _by_token(session, path, params, page.token)
            return
        keys = [*map(_key, page.result)]
        size = max(size, len(keys))
        if overlaps and offset and not connected.intersection(keys[:1]) and steps < _STEPS_BACK:
            offset, steps = max(0, offset - size), steps + 1
            continue
        idle = idle + 1 if connected.issuperset(keys) else 0
        # A page that was read again may bring nothing new although more follow.
        if idle > steps or not keys:
            return
        connected.update(keys)
        overlaps = len(keys) > 1
        offset += len(keys) - overlaps


def _unseen() -> Callable[[object], bool]:
    """Return a function that returns whether it has not been called with an entry before."""
    seen = set[str]()

    def is_new(entry: object) -> bool:
        key = _key(entry)
        return not (key in seen or seen.add(key))  # type: ignore[func-returns-value]

    return is_new


def _slices(numbers: Iterable[int], size: int) -> Iterator[list[int]]:
    given = list(numbers)
    return (given[n : n + size] for n in range(0, len(given), size))


def _key(entry: object) -> str:
    """Return what identifies an entry of a list: its id, else all of it."""
    if isinstance(entry, dict):
        if isinstance(entry.get("id"), int | str):
            # Forms have an approved version and a draft with the same id.
            return f"{entry['id']!r} {entry.get('status')!r}"
        if isinstance(entry.get("name"), str):
            return str(entry["name"])
    return json.dumps(entry, sort_keys=True)


def _fields(described: list[Any]) -> list[Any]:
    """Return the fields of an answer that describes records."""
    for entry in described:
        if isinstance(entry, dict) and isinstance(entry.get("fields"), list):
            found: list[Any] = entry["fields"]
            return found
    raise AnswerError("it has no fields")


def _as_described(entry: Any) -> Any:  # noqa: ANN401 - as it came
    """Return a field of `describe2.json` in the form of `describe.json`, without an id."""
    if not isinstance(entry, dict):
        return entry
    shown = {
        "displayName": entry.get("displayName") or entry.get("name"),
        "dataType": entry.get("dataType"),
        "length": entry.get("length"),
        "rest": {
            "name": entry.get("name"),
            "readOnly": not entry.get("updateable", True),
        },
    }
    return {name: value for name, value in shown.items() if value is not None}
