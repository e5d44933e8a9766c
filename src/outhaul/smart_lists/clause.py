"""The clause that selects the leads of a smart list."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

import polars as pl

from outhaul.lake.clauses import Clause, Scope, UnpinnedError
from outhaul.lake.files import TableFile
from outhaul.protocol.instants import parse_instant, render_instant
from outhaul.smart_lists.evaluation import lead_ids
from outhaul.smart_lists.parsing import PlannedNames, read_rules
from outhaul.smart_lists.pinned import PinnedRecords, pin_records
from outhaul.smart_lists.rules import FieldRule, Group, conditions

if TYPE_CHECKING:
    from outhaul.lake.snapshot import Snapshots


@dataclass(frozen=True)
class InSmartList(Clause):
    """The rules of a smart list choose the lead, at a moment and over the pinned records."""

    tag = "inSmartList"

    rules: Group
    moment: datetime
    """The end of periods such as "in past 7 days", at the precision of a second."""
    column: str = "id"
    """The column with the lead's id."""
    pinned: PinnedRecords | None = None
    """The files that the rules are evaluated over; `None` before the clause is pinned."""

    @property
    def columns(self) -> frozenset[str]:
        return frozenset({self.column})

    def to_json(self) -> dict[str, Any]:
        types = {
            entry.field: entry.type.value
            for entry in conditions(self.rules)
            if isinstance(entry, FieldRule)
        }
        return {
            self.tag: {
                "rules": self.rules.to_json(),
                "types": types,
                "moment": render_instant(self.moment),
                "lead": self.column,
                "pinned": None if self.pinned is None else self.pinned.to_json(),
            }
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        pinned = content["pinned"]
        return cls(
            rules=read_rules(content["rules"], "rules", PlannedNames(content["types"])),
            moment=parse_instant(content["moment"]),
            column=content["lead"],
            pinned=None if pinned is None else PinnedRecords.from_json(pinned),
        )

    def expression(self, scope: Scope) -> pl.Expr:
        if self.pinned is None:
            raise UnpinnedError("the records that a smart list reads are not pinned")
        found = lead_ids(self.rules, self.moment, self.pinned, scope)
        return pl.col(self.column).is_in(found.implode())

    def pin(self, snapshots: "Snapshots") -> Clause:
        return replace(self, pinned=pin_records(self.rules, self.moment, snapshots))

    @property
    def files(self) -> Iterator[TableFile]:
        if self.pinned is not None:
            yield from self.pinned.files
