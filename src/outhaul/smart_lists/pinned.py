"""The pinned files that the rules of a smart list are evaluated over."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from outhaul.lake.clauses import Clause, OneOf, Within, member_files
from outhaul.lake.files import TableFile, by_partition
from outhaul.lake.tables import ACTIVITIES, LEADS, LIST_MEMBERS, type_name
from outhaul.smart_lists.rules import (
    ActivityRule,
    FieldRule,
    Group,
    ListRule,
    Past,
    conditions,
    span,
)

if TYPE_CHECKING:
    from outhaul.lake.snapshot import Snapshot, Snapshots


@dataclass(frozen=True, kw_only=True)
class PinnedRecords:
    """Files of the lake, as paths under the folder of their table."""

    leads: Mapping[int, Sequence[str]]
    """The files of leads, by their partition: the number of a range of lead ids."""
    columns: Mapping[str, str]
    """The columns of leads that rules name, without missing ones, and their types in Delta."""
    members: Mapping[int, Sequence[str]]
    """The files of list members, by the id of each static list that rules name."""
    activities: Sequence[Sequence[str]]
    """For each condition on activities, in order, the files that may hold matching activities."""

    @property
    def files(self) -> Iterator[TableFile]:
        """All of the files."""
        for table, groups in (
            (LEADS, self.leads.values()),
            (LIST_MEMBERS, self.members.values()),
            (ACTIVITIES, self.activities),
        ):
            for paths in groups:
                yield from (TableFile(table.name, path) for path in paths)

    def to_json(self) -> dict[str, Any]:
        """Return the pinned records as plain data."""
        return {
            "leads": {str(name): list(files) for name, files in self.leads.items()},
            "columns": dict(self.columns),
            "members": {str(name): list(files) for name, files in self.members.items()},
            "activities": [list(files) for files in self.activities],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "PinnedRecords":
        """Return the records that `to_json` gave."""
        return cls(
            leads={int(name): files for name, files in content["leads"].items()},
            columns=content["columns"],
            members={int(name): files for name, files in content["members"].items()},
            activities=content["activities"],
        )


def pin_records(rules: Group, moment: datetime, snapshots: "Snapshots") -> PinnedRecords:
    """Return the files that may hold records which the rules, evaluated at `moment`, need."""
    found = list(conditions(rules))
    leads = snapshots.of(LEADS)
    ranges = by_partition(() if leads is None else leads.files)
    fields = {rule.field for rule in found if isinstance(rule, FieldRule)}
    lists = sorted({rule.list_id for rule in found if isinstance(rule, ListRule)})
    counted = [rule for rule in found if isinstance(rule, ActivityRule)]
    activities = snapshots.of(ACTIVITIES) if counted else None
    return PinnedRecords(
        leads={number: [file.path for file in files] for number, files in ranges.items()},
        columns={
            name: type_name(of)
            for name, of in ({} if leads is None else leads.columns).items()
            if name in fields
        },
        members={list_id: member_files(snapshots, list_id) for list_id in lists},
        activities=[
            _activity_files(activities, wanted_activities(rule, moment)) for rule in counted
        ],
    )


def wanted_activities(rule: ActivityRule, moment: datetime) -> list[Clause]:
    """Return the clauses for the activities that a condition counts."""
    clauses: list[Clause] = [OneOf("activityTypeId", (rule.activity_type,))]
    if rule.value_ids:
        clauses.append(OneOf("primaryAttributeValueId", rule.value_ids))
    if rule.values:
        clauses.append(OneOf("primaryAttributeValue", rule.values))
    if isinstance(rule.period, Past):
        clauses.append(Within("activityDate", moment - rule.period.length, moment))
    elif rule.period is not None:
        start, end = span(rule.period.start)[0], span(rule.period.end)[1]
        clauses.append(Within("activityDate", start, end))
    return clauses


def _activity_files(snapshot: "Snapshot | None", wanted: Sequence[Clause]) -> list[str]:
    return [
        file.path
        for file in (() if snapshot is None else snapshot.files)
        if all(clause.may_match(file.bounds) for clause in wanted)
    ]
