"""An export job, and the transitions between its states."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from outhaul.export.request import ExportRequest
from outhaul.protocol.answers.exports import ExportJob
from outhaul.protocol.states import State

TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.CREATED: frozenset({State.QUEUED, State.CANCELLED}),
    State.QUEUED: frozenset({State.PROCESSING, State.CANCELLED}),
    State.PROCESSING: frozenset({State.COMPLETED, State.FAILED, State.CANCELLED}),
    State.CANCELLED: frozenset(),
    State.COMPLETED: frozenset(),
    State.FAILED: frozenset(),
}
"""Where a job may go from each state; `docs/jobs.md` draws it."""


def sources(target: State) -> list[State]:
    """Return the states from which a job may come to `target`."""
    return [state for state, targets in TRANSITIONS.items() if target in targets]


@dataclass(frozen=True, kw_only=True)
class Job:
    """An export job as it was at one moment. Sizes are in bytes, times in UTC."""

    id: str
    subscription: str
    user: int
    kind: str
    state: State
    request: ExportRequest
    created_at: datetime
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    records: int | None = None
    file_size: int | None = None
    checksum: str | None = None
    """SHA-256 of the whole file, in hexadecimal digits."""
    error_message: str | None = None
    attempts: int = 0
    """Attempts that count. Those that were handed back, or published a part, do not."""

    def to_answer(self) -> ExportJob:
        """Return the job as answers show it: what is not reached yet is left out."""
        reached = {
            "queued_at": self.queued_at,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
        }
        further: dict[str, Any] = {name: when for name, when in reached.items() if when}
        if self.state is State.COMPLETED:
            further |= {
                "number_of_records": self.records,
                "file_size": self.file_size,
                "file_checksum": f"sha256:{self.checksum}",
            }
        if self.state is State.FAILED:
            further["error_msg"] = self.error_message
        return ExportJob(
            export_id=self.id,
            format=self.request.format.name,
            status=self.state,
            created_at=self.created_at,
            **further,
        )
