"""Pages of activities: of some types, of changes of leads, and of deletions of leads.

A page token is a position in the order of activityDate, then marketoGUID, and has the same meaning
in all three calls. The last page has a token too: a client can use it later to get activities that
were loaded since, unless they are dated before the token.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from outhaul.api.lookups.answering import Lookup, allowed
from outhaul.api.lookups.parameters import BATCH_SIZE
from outhaul.api.lookups.query import Query, no_token
from outhaul.catalog.entries import ID_RANGE, AssetType, LeadField
from outhaul.errors import Error
from outhaul.kinds.activities import check_types
from outhaul.kinds.expiry import NEW_LEAD, unexpired
from outhaul.lake.clauses import AnyOf, Clause, MemberOf, OneOf, member_count
from outhaul.lake.tables import ACTIVITIES as TABLE
from outhaul.lake.tables import DELETE_LEAD
from outhaul.protocol.answers.envelope import ActivityPage, Found, TokenOnly
from outhaul.protocol.answers.records import Activity, Attribute, FieldChange, LeadChange
from outhaul.protocol.paging import encode_token
from outhaul.protocol.parameters import instant, integer, integers, text, texts
from outhaul.reading.pages import read_page
from outhaul.records.numbers import float_of, whole_number

MOST_TYPES = 10
"""The most activity types that a call may name."""

MOST_LEADS = 30
"""The most leads that a call may name."""

CHANGE_DATA_VALUE = 13
_NEW_VALUE, _OLD_VALUE = "New Value", "Old Value"

_PRIMARY = ("primaryAttributeValueId", "primaryAttributeValue")
_COLUMNS = (
    "marketoGUID",
    "leadId",
    "activityDate",
    "activityTypeId",
    "campaignId",
    *_PRIMARY,
    "attributes",
)

_WHAT = "activities"
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_DIGITS = 300  # longer integers overflow the numbers of many clients
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# The loader has checked that attributes are an object. Values stay raw, because they may have any
# depth and numbers of any length; `_value` reads each one.
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])

Record = Mapping[str, Any]


def paging_token(query: Query) -> Found:
    """Get a page token for the activities from a moment on."""
    query.required("sinceDatetime")
    since = query.instant("sinceDatetime")
    assert since is not None  # noqa: S101 - it is there
    return Found((), token=_token(since, ""))


def activities(query: Query) -> Found:
    """List activities of some types, by date."""
    query.some_texts("activityTypeIds")
    types = query.integers("activityTypeIds")
    _at_most(types, "activityTypeIds", MOST_TYPES)
    check_types(types, "activityTypeIds", query.context)
    clauses: list[Clause] = [OneOf("activityTypeId", tuple(types)), *_of_leads(query)]
    if assets := query.integers("assetIds"):
        clauses.append(OneOf("primaryAttributeValueId", tuple(assets)))
    return _page(query, clauses, _activity)


def lead_changes(query: Query) -> Found:
    """List new leads and changes of some lead fields, by date."""
    fields = _fields(query)
    changes = AnyOf(
        (
            OneOf("activityTypeId", (NEW_LEAD,)),
            OneOf("primaryAttributeValueId", tuple(field.id for field in fields)),
            OneOf("primaryAttributeValue", tuple(field.display_name for field in fields)),
        )
    )
    types = OneOf("activityTypeId", (NEW_LEAD, CHANGE_DATA_VALUE))

    def shown(record: Record) -> LeadChange:
        return _lead_change(record, fields)

    return _page(query, [types, changes, *_of_leads(query)], shown)


def deleted_leads(query: Query) -> Found:
    """List deletions of leads, by date."""
    return _page(query, [OneOf("activityTypeId", (DELETE_LEAD,))], _activity)


def _at_most(given: Sequence[Any], name: str, most: int) -> None:
    if len(given) > most:
        raise Error.INVALID(
            parameter=name, problem=f"{len(given)} values, where {most} are allowed"
        )


def _of_leads(query: Query) -> list[Clause]:
    """Return the clauses on the leads of the activities."""
    clauses: list[Clause] = []
    leads = query.integers("leadIds")
    _at_most(leads, "leadIds", MOST_LEADS)
    if leads:
        # A loser's activities are its winner's, but for its deletion.
        winners = query.winners(leads).values()
        clauses.append(OneOf("leadId", (*leads, *winners)))
    list_id = query.integer("listId")
    if list_id is not None:
        if list_id not in ID_RANGE or query.catalog.asset(AssetType.STATIC_LIST, list_id) is None:
            raise Error.INVALID(parameter="listId", problem=f"there is no static list {list_id}")
        _check_size(query, list_id)
        clauses.append(MemberOf(list_id, "leadId"))
    return clauses


def _check_size(query: Query, list_id: int) -> None:
    """Raise 1003 if a list has too many leads for a look-up (activities, query)."""
    most = query.context.limits.list_id_leads
    if most is None:
        return
    leads = member_count(query.lake, list_id)
    if leads >= most:
        raise Error.INVALID(
            parameter="listId",
            problem=f"static list {list_id} has {leads:,} leads, and lists of {most:,} leads or "
            "more are refused; use leadIds, or an export",
        )


def _fields(query: Query) -> list[LeadField]:
    known = query.catalog.lead_fields()
    names = query.some_texts("fields")
    for name in names:
        if name not in known:
            raise Error.FIELD_UNKNOWN(field=name)
    return [known[name] for name in dict.fromkeys(names)]


def _page(
    query: Query, clauses: Sequence[Clause], shown: Callable[[Record], Activity | LeadChange]
) -> Found:
    query.required("nextPageToken")
    after = _position(query)
    page = read_page(
        query.lake,
        TABLE,
        query.lake.snapshot(TABLE),
        [*clauses, *unexpired(query.context)],
        _COLUMNS,
        size=query.batch_size(),
        after=after,
    )
    moment, guid = page.position or after
    return Found(
        [shown(record) for record in page.records],
        token=_token(moment, guid),
        more=page.more,
    )


def _token(moment: datetime, guid: str) -> str:
    return encode_token((_WHAT, str((moment - _EPOCH) // _MICROSECOND), guid))


def _position(query: Query) -> tuple[datetime, str]:
    """Return the position in the page token of a call. Raises 1003 for an invalid token."""
    microseconds, guid = query.position(_WHAT, 2) or ("", "")
    try:
        return _EPOCH + int(microseconds) * _MICROSECOND, guid
    except (ValueError, OverflowError):
        raise no_token(_WHAT) from None


def _activity(record: Record) -> Activity:
    """Return an activity, with its primary attribute if it has one."""
    primary = {name: record[name] for name in _PRIMARY if record[name] is not None}
    return Activity(**_common(record), **primary, attributes=_named(_attributes(record)))


def _lead_change(record: Record, fields: Sequence[LeadField]) -> LeadChange:
    """Return a new lead, or the change of one of `fields`."""
    attributes = _attributes(record)
    changed = []
    if record["activityTypeId"] == CHANGE_DATA_VALUE:
        field = _changed(record, fields)
        values = {"new_value": _text(attributes.pop(_NEW_VALUE, None))}
        if (old := attributes.pop(_OLD_VALUE, None)) is not None:
            values["old_value"] = _text(old)
        changed.append(FieldChange(id=field.id, name=field.name, **values))
    return LeadChange(**_common(record), fields=changed, attributes=_named(attributes))


def _changed(record: Record, fields: Sequence[LeadField]) -> LeadField:
    """Return the changed field. The primary attribute is its id or its display name."""
    by_id = [field for field in fields if field.id == record["primaryAttributeValueId"]]
    by_name = [field for field in fields if field.display_name == record["primaryAttributeValue"]]
    return (by_id or by_name)[0]


def _common(record: Record) -> dict[str, Any]:
    shown = {
        "id": _number(record["marketoGUID"]),
        "marketoGUID": record["marketoGUID"],
        "leadId": record["leadId"],
        "activityDate": record["activityDate"],
        "activityTypeId": record["activityTypeId"],
    }
    campaign = record["campaignId"]
    return shown if campaign is None else {**shown, "campaignId": campaign}


def _number(guid: str) -> int:
    """Return the integer id of an activity, which older clients use in place of the marketoGUID.

    On a live instance, the marketoGUID is often this integer. Otherwise the id is a digest.
    """
    if _NUMBER.fullmatch(guid) and int(guid) < 2**63:
        return int(guid)
    return int.from_bytes(hashlib.sha256(guid.encode()).digest()[:8]) >> 1


def _attributes(record: Record) -> dict[str, Any]:
    given = _OBJECT.decode(record["attributes"] or "{}")
    return {name: _value(bytes(raw).decode()) for name, raw in given.items()}


def _value(text: str) -> Any:  # noqa: ANN401 - an attribute may be of any type
    """Return the value that a JSON text has. Lists and objects stay JSON texts."""
    if text[0] in "[{":
        return text
    return json.loads(text, parse_float=_float, parse_int=_integer)


def _float(text: str) -> float | int | str:
    """Return a number, or its text if a float cannot hold it."""
    number = float_of(text)
    return text if number is None else whole_number(number)


def _integer(text: str) -> int | str:
    """Return an integer, or its text if it has too many digits."""
    return int(text) if len(text) <= _DIGITS else text


def _text(value: Any) -> str:  # noqa: ANN401 - an attribute may be of any type
    """Return the value of a field as text, which is empty for null."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _named(attributes: Mapping[str, Any]) -> list[Attribute]:
    return [Attribute(name=name, value=value) for name, value in attributes.items()]


_TOKEN = text("nextPageToken", "A paging token, or the token of the previous page.", required=True)
_PAGE = (_TOKEN, BATCH_SIZE)
_OF_LEADS = (
    integers("leadIds", f"Only activities of these leads, {MOST_LEADS} at most."),
    integer("listId", "Only activities of the members of this static list."),
)

ACTIVITIES = (
    Lookup(
        path="/rest/v1/activities/pagingtoken.json",
        permissions=allowed("Activity"),
        find=paging_token,
        parameters=(
            instant("sinceDatetime", "The moment at which the activities begin.", required=True),
        ),
        result=None,
        envelope=TokenOnly,
    ),
    Lookup(
        path="/rest/v1/activities.json",
        permissions=allowed("Activity"),
        find=activities,
        parameters=(
            integers("activityTypeIds", f"Activity types, {MOST_TYPES} at most.", required=True),
            integers("assetIds", "Only activities with one of these primary attributes."),
            *_OF_LEADS,
            *_PAGE,
        ),
        result=Activity,
        envelope=ActivityPage,
    ),
    Lookup(
        path="/rest/v1/activities/leadchanges.json",
        permissions=allowed("Activity"),
        find=lead_changes,
        parameters=(
            texts("fields", "The lead fields whose changes are wanted.", required=True),
            *_OF_LEADS,
            *_PAGE,
        ),
        result=LeadChange,
        envelope=ActivityPage,
    ),
    Lookup(
        path="/rest/v1/activities/deletedleads.json",
        permissions=allowed("Activity"),
        find=deleted_leads,
        parameters=_PAGE,
        result=Activity,
        envelope=ActivityPage,
    ),
)
