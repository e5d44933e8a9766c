"""The plan of a job: a reading and an output.

A plan is made once, when the job begins processing, and stored as plain data until the job ends.
The same plan gives the same bytes, however often and on whichever machine it is rendered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from outhaul.export.output import Output
from outhaul.export.request import ExportRequest
from outhaul.kinds.filter import Context
from outhaul.kinds.kind import Kind
from outhaul.lake.snapshot import Lake, Snapshots
from outhaul.reading.planning import cut, pin_reading
from outhaul.reading.reading import Reading


@dataclass(frozen=True, kw_only=True)
class PartTask:
    """One part of a file to render, with everything that this needs except the lake."""

    number: int
    """The number of the part, from 0."""
    key: str
    """The key to store the part under; an executor may append to it."""
    reading: Reading
    """The reading of this part alone. It has no parts if the file has no records."""
    output: Output
    is_last: bool
    """Whether this is the last part of the file, which has the footer."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The reading and the output of one job."""

    reading: Reading
    output: Output

    @property
    def part_count(self) -> int:
        """The number of parts of the file: at least one, because a header needs a part."""
        return max(1, len(self.reading.parts))

    def task(self, number: int, key: str) -> PartTask:
        """Return the task to render part `number` and store it under `key`."""
        return PartTask(
            number=number,
            key=key,
            reading=self.reading.of_part(number),
            output=self.output,
            is_last=number == self.part_count - 1,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        return {"reading": self.reading.to_json(), "output": self.output.to_json()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Return the plan that `to_json` gave."""
        return cls(
            reading=Reading.from_json(content["reading"]),
            output=Output.from_json(content["output"]),
        )


def make_plan(
    kind: Kind, request: ExportRequest, context: Context, lake: Lake, part_records: int
) -> Plan:
    """Return the plan of a job that begins processing now.

    A part has at most about `part_records` records. Raises `LakeError`.
    """
    snapshots = Snapshots(lake)
    own = kind.own_fields(context)
    joined = [] if kind.join is None else [name for name in request.fields if name not in own]
    reading = pin_reading(
        snapshots,
        kind.table,
        kind.clauses(request.filter, context),
        request.fields,
        join=kind.join,
        joined_fields=joined,
    )
    digits = set(kind.digits(context))
    output = Output(
        fields=request.fields,
        headers=request.headers,
        format=request.format.for_limits(context.limits),
        stand_ins=kind.stand_ins,
        digits=[name for name in request.fields if name in digits],
    )
    return Plan(reading=cut(reading, snapshots, kind.table, part_records), output=output)
