"""tap-marketo, unmodified but for where it calls: what fills warehouses day by day."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

from tests.support.answers import check
from tests.support.clients import needs
from tests.support.processes import serve
from tests.support.recorder import recorded
from tests.support.schemas import Contract
from tests.support.tap import NAME, Brought, Connection, Tap
from tests.support.tap_sample import (
    ASSETS,
    CATALOG,
    NEW_PROGRAM,
    RESUMED,
    TYPES,
    Records,
    Window,
    load_first,
    load_more,
    new_guid,
    plan,
    windows,
)

from outhaul.catalog.built_in import standard_entries

Streams: TypeAlias = Sequence[Mapping[str, Any]]

AREAS = ("Lead", "Activity", "Assets", "Campaign")
AT_ONCE = 8

# With `updatedAt`, the tap asks for leads from a day before the end of its last run on.
LOOKING_BACK = timedelta(days=1)

NOTHING = (None, "", "null")
"""The tap takes all of them for nothing."""

AS_THEY_ARE = ("id", "firstName", "email", "numberOfEmployees", "annualRevenue", "mktoPersonNotes")
DATES = ("createdAt", "updatedAt")

pytestmark = needs(NAME)


def test_all_is_synced_and_then_what_is_new(tmp_path: Path, contract: Contract | None) -> None:
    files, data = tmp_path / "files", tmp_path / "data"
    files.mkdir()
    given = load_first(data, files)
    planned = plan(given)
    leads = planned[0]
    again = [connection for connection in planned if connection.name in RESUMED]
    with serve(data, AREAS) as server, recorded(server.url) as recorder:
        tap = Tap(recorder.url, server.client_id, server.client_secret, files)
        found = tap.discover()
        _check_discovered(found)

        first = _sync(tap, found, planned, {})
        _check_first(first, planned, given)

        # As if it had broken off in its second window: it takes up the export that it began.
        begun = [state for state in first["leads"].states if _export_id(state)]
        calls = len(recorder.calls)
        _check_leads(tap.sync(found, leads, begun[1]), given, _windows_of(leads, given)[1:])
        path = f"/bulk/v1/leads/export/{_export_id(begun[1])}/file.json"
        probe, _ = [call for call in recorder.calls[calls:] if call.path == path]
        assert (probe.status, len(probe.body)) == (206, 1)

        load_more(data, files, given, [name for run in again for name in run.streams])
        _check_second(_sync(tap, found, again, first), first, again, given)
    for call in recorder.calls:
        check(call, contract)


def _sync(
    tap: Tap, found: Streams, planned: Sequence[Connection], last: Mapping[str, Brought]
) -> dict[str, Brought]:
    """Run some connections, each from where it was; return what each one brought, by name."""

    def run(connection: Connection) -> Brought:
        before = last.get(connection.name)
        return tap.sync(found, connection, before.state if before else None)

    names = [connection.name for connection in planned]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(names, pool.map(run, planned), strict=True))


def _check_discovered(found: Streams) -> None:
    streams = {stream["tap_stream_id"]: stream for stream in found}
    assert len(streams) == len(found)
    assert set(streams) == {"leads", "activity_types", *ASSETS, *TYPES}
    fields = {entry.name for entry in standard_entries().lead_fields}
    assert set(streams["leads"]["schema"]["properties"]) == fields
    for stream, type_id in TYPES.items():
        (whole,) = [about for about in streams[stream]["metadata"] if not about["breadcrumb"]]
        assert whole["metadata"]["marketo.activity-id"] == type_id


def _check_first(
    brought: Mapping[str, Brought], planned: Iterable[Connection], given: Records
) -> None:
    assets = brought["assets"]
    assert _ids(assets, "activity_types") == sorted(TYPES.values())
    for stream, key in ASSETS.items():
        assert _ids(assets, stream) == sorted(entry["id"] for entry in CATALOG[key])
    for connection, stream in _streams(planned):
        asked = _windows_of(connection, given)
        if stream == "leads":
            assert len(asked) == 4
            _check_leads(brought["leads"], given, asked)
            assert set(_ids(brought["leads"], "leads")) == set(given.leads)
        elif stream in TYPES:
            _check_activities(brought[connection.name], stream, given, asked)
    guids = _guids(brought)
    assert set(guids) == {activity["marketoGUID"] for activity in given.activities}
    # What is of the second in which two windows meet comes with both.
    assert 1 <= len(guids) - len(given.activities) < 5


def _check_second(
    brought: Mapping[str, Brought],
    first: Mapping[str, Brought],
    planned: Iterable[Connection],
    given: Records,
) -> None:
    """Check what came with the state of the first runs, after `load_more`."""
    assets = brought["assets"]
    assert _ids(assets, "activity_types") == sorted(TYPES.values())
    assert _ids(assets, "campaigns") == _ids(assets, "lists") == []
    assert _ids(assets, "programs") == [NEW_PROGRAM]
    for connection, stream in _streams(planned):
        now = brought[connection.name]
        if stream == "leads":
            start = _bookmark(first["leads"], stream, "updatedAt") - LOOKING_BACK
            _check_leads(now, given, windows(start, connection.days, given.until))
            assert {*_ids(first["leads"], stream), *_ids(now, stream)} == set(given.leads)
            assert len(_ids(now, stream)) < len(given.leads) // 4
        elif stream in TYPES:
            # Its bookmark is where its last window began.
            start = _bookmark(first[connection.name], stream, "activityDate")
            _check_activities(now, stream, given, windows(start, connection.days, given.until))
            assert now.records(stream)[-1]["marketoGUID"] == new_guid(stream)
    both = {*_guids(first), *_guids(brought)}
    assert both == {activity["marketoGUID"] for activity in given.activities}


def _check_leads(brought: Brought, given: Records, asked: Iterable[Window]) -> None:
    records = brought.records("leads")
    assert [record["id"] for record in records] == given.leads_of(asked)
    for record in records:
        lead = given.leads[record["id"]]
        for name in AS_THEY_ARE:
            wanted = lead.get(name)
            assert record[name] == (None if wanted in NOTHING else wanted), name
        for name in DATES:
            assert record[name] == _with_offset(lead[name])


def _check_activities(
    brought: Brought, stream: str, given: Records, asked: Iterable[Window]
) -> None:
    found = [
        (record["marketoGUID"], record["leadId"], record["activityDate"])
        for record in brought.records(stream)
    ]
    assert found == [
        (activity["marketoGUID"], activity["leadId"], _with_offset(activity["activityDate"]))
        for activity in given.activities_of(TYPES[stream], asked)
    ]


def _windows_of(connection: Connection, given: Records) -> list[Window]:
    """Return what a run without a state asks for."""
    back = LOOKING_BACK if connection.name == "leads" else timedelta()
    return windows(connection.start - back, connection.days, given.until)


def _streams(planned: Iterable[Connection]) -> Iterable[tuple[Connection, str]]:
    return ((connection, stream) for connection in planned for stream in connection.streams)


def _guids(brought: Mapping[str, Brought]) -> list[str]:
    """Return the ids of all activities that came, as often as they came."""
    return [
        record["marketoGUID"]
        for run in brought.values()
        for stream in run.streams & set(TYPES)
        for record in run.records(stream)
    ]


def _ids(brought: Brought, stream: str) -> list[int]:
    return sorted(record["id"] for record in brought.records(stream))


def _bookmark(brought: Brought, stream: str, key: str) -> datetime:
    return datetime.fromisoformat(brought.state["bookmarks"][stream][key])


def _export_id(state: Mapping[str, Any]) -> Any:
    return state["bookmarks"]["leads"].get("export_id")


def _with_offset(text: str) -> str:
    """Return a moment as the tap writes it."""
    return text.replace("Z", "+00:00")
