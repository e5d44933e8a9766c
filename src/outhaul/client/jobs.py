"""An export job as an endpoint describes it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from outhaul.client.answers import read
from outhaul.protocol.answers.exports import ExportJob
from outhaul.protocol.states import State, UnknownState


@dataclass(frozen=True, kw_only=True)
class Job:
    """An export job as the endpoint describes it: moments in UTC, `file_size` in bytes.

    An attribute is `None` if the endpoint does not give it, or not yet, or in a form that cannot be
    read. A `status` that is not known has not ended. `checksum` has the form
    `sha256:<hex>`.
    """

    export_id: str
    status: State | UnknownState
    format: str = "CSV"
    created_at: datetime | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    records: int | None = None
    file_size: int | None = None
    checksum: str | None = None
    error_message: str | None = None

    @classmethod
    def from_answer(cls, entry: object) -> Self:
        """Return the job that an entry of `result` describes. Raises `AnswerError`."""
        return cls.of(read(ExportJob, entry, "an export job"))

    @classmethod
    def of(cls, found: ExportJob) -> Self:
        """Return the job that a declared answer describes."""
        return cls(
            export_id=found.export_id,
            status=found.status,
            format=found.format,
            created_at=found.created_at,
            queued_at=found.queued_at,
            started_at=found.started_at,
            finished_at=found.finished_at,
            records=found.number_of_records,
            file_size=found.file_size,
            checksum=found.file_checksum,
            error_message=found.error_msg,
        )
