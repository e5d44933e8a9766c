"""What the server has that tap-marketo calls, and what the tap must bring of it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

from tests.support.processes import prepare
from tests.support.tap import Connection
from tests.support.waiting import wait_for

from outhaul import sample
from outhaul.catalog.built_in import standard_entries

Window: TypeAlias = tuple[str, str]

LEAD_COUNT = 400
ACTIVITY_COUNT = 1_500
CATALOG = sample.catalog()

TYPES = {
    "activities_" + entry.name.lower().replace(" ", "_"): entry.id
    for entry in standard_entries().activity_types
}
"""The streams of activities, and the ids of their types."""

ASSETS = {"campaigns": "campaigns", "lists": "staticLists", "programs": "programs"}
"""The streams of assets, and the keys of a catalog file."""

RESUMED = ("leads", "assets", "active 0", "active 1", "active 2", "quiet 0")
"""The runs of `plan` that are resumed; the others would be more of the same."""

NEW_PROGRAM = 9001


@dataclass
class Records:
    """What has been loaded so far."""

    until: datetime
    """Nothing of it is later."""
    leads: dict[int, dict[str, Any]] = field(default_factory=dict)
    activities: list[dict[str, Any]] = field(default_factory=list)

    def leads_of(self, windows: Iterable[Window]) -> list[int]:
        """Return the ids of the leads that exports of some windows hold, in their order."""
        return [
            lead["id"]
            for start, end in windows
            for lead in sorted(self.leads.values(), key=lambda lead: lead["id"])
            if start <= lead["updatedAt"] <= end
        ]

    def activities_of(self, type_id: int, windows: Iterable[Window]) -> list[dict[str, Any]]:
        """Return the activities of a type that exports of some windows hold, in their order."""
        return [
            activity
            for start, end in windows
            for activity in self.activities
            if activity["activityTypeId"] == type_id and start <= activity["activityDate"] <= end
        ]


def windows(start: datetime, days: int, until: datetime) -> list[Window]:
    """Return the windows that the tap asks for: each begins where one ends, and `until` is in one.

    The last one of them ends when the tap asks, and nothing is later than that.
    """
    found = []
    while start <= until:
        end = start + timedelta(days=days)
        found.append((_text(start), _text(end)))
        start = end
    return found


def load_first(data: Path, folder: Path) -> Records:
    """Load the sample, which ends now."""
    given = Records(_now())
    given.leads = {lead["id"]: lead for lead in sample.leads(LEAD_COUNT, until=given.until)}
    given.activities += sample.activities(ACTIVITY_COUNT, until=given.until, lead_count=LEAD_COUNT)
    _load_catalog(data, folder, CATALOG)
    _load(data, "leads", folder / "leads.jsonl", given.leads.values())
    _load(data, "activities", folder / "activities.jsonl", given.activities)
    _pass_second()
    return given


def load_more(data: Path, folder: Path, given: Records, streams: Iterable[str]) -> None:
    """Load new leads, a changed one, an activity for each of some streams, and a new program."""
    given.until = _now()
    moment = _text(given.until)
    oldest = min(given.leads.values(), key=lambda lead: lead["updatedAt"])
    dates = {"createdAt": moment, "updatedAt": moment}
    # All have all fields: a lead that lacks one that others of its file have would lose it.
    new = [{**oldest, **dates, "id": 900_001 + n, "firstName": f"New {n}"} for n in range(3)]
    changed = {**oldest, "firstName": "Changed", "updatedAt": moment}
    activities = [
        {
            "marketoGUID": new_guid(stream),
            "leadId": oldest["id"],
            "activityDate": moment,
            "activityTypeId": TYPES[stream],
        }
        for stream in streams
        if stream in TYPES
    ]
    given.leads |= {lead["id"]: lead for lead in (changed, *new)}
    given.activities += activities
    _load_catalog(data, folder, {"programs": [{"id": NEW_PROGRAM, "name": "New", **dates}]})
    _load(data, "leads", folder / "changed.jsonl", [changed, *new])
    _load(data, "activities", folder / "more.jsonl", activities)
    _pass_second()


def new_guid(stream: str) -> str:
    """Return the id of the activity that a stream has more by `load_more`."""
    return str(900_000_000 + TYPES[stream])


def plan(given: Records) -> Sequence[Connection]:
    """Divide the streams among so many runs that none waits: each makes 100 calls in 20 seconds.

    A window is about five calls, and one or two of no length come after the last. Leads come in
    four windows; the activities that the sample has in two, which meet in a second that one of
    them is of.
    """
    known = {activity["activityTypeId"] for activity in given.activities}
    active = [stream for stream, type_id in TYPES.items() if type_id in known]
    quiet = [stream for stream in TYPES if stream not in active]
    half = _text(given.until - timedelta(days=14))
    border = max(a["activityDate"] for a in given.activities if a["activityDate"] <= half)
    early = datetime.fromisoformat(border) - timedelta(days=16)
    recent = given.until - timedelta(days=29)
    return [
        Connection(name="leads", streams=["leads"], start=given.until - timedelta(days=90)),
        Connection(
            name="assets",
            streams=["activity_types", *ASSETS],
            start=datetime(2025, 1, 1, tzinfo=UTC),
        ),
        *(
            Connection(name=f"active {n}", streams=active[n::3], start=early, days=16)
            for n in range(3)
        ),
        *(Connection(name=f"quiet {n}", streams=quiet[n::11], start=recent) for n in range(11)),
    ]


def _load_catalog(data: Path, folder: Path, content: Mapping[str, Any]) -> None:
    path = folder / "catalog.json"
    path.write_text(json.dumps(content), "utf-8")
    prepare("load", "catalog", path, "--data", data)


def _load(data: Path, kind: str, path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    prepare("load", kind, path, "--data", data)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _pass_second() -> None:
    """Return in a later second than the present one.

    The windows of a run share their ends. A run that began in the second in which records were
    loaded would get these twice.
    """
    loaded = _now()
    wait_for(lambda: _now() > loaded)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
