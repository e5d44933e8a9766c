"""A client of any endpoint that speaks the bulk extract protocol: a live instance, or outhaul.

with Session("https://123-ABC-456.mktorest.com", client_id, client_secret) as session:
    exports = Exports(session, "leads")
    job = exports.run({"fields": ["id", "email"], "filter": {"staticListId": 1001}})
    download(session, exports.file_path(job.export_id), job, Path("leads.csv"))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from outhaul.client.arrived import Checked
from outhaul.client.described import ActivityType, activity_types, field_types
from outhaul.client.download import download, download_into, download_to
from outhaul.client.endings import Ending, Fate
from outhaul.client.errors import (
    AlreadyQueuedError,
    AnswerError,
    CallsSpentError,
    ChecksumError,
    ClientError,
    CredentialsError,
    DownloadError,
    FileMissingError,
    HttpError,
    JobFailedError,
    JoinError,
    NotAFileError,
    OutOfTimeError,
    ProtocolError,
    QueueFullError,
    QuotaExceededError,
    QuotaSpentError,
    UnreachableError,
    WindowsFailedError,
)
from outhaul.client.exports import Exports
from outhaul.client.extracted import Extracted, ExtractedFile, ExtractWatch
from outhaul.client.extracts import Extract, extract_files
from outhaul.client.flight import Flight
from outhaul.client.forecast import Forecast
from outhaul.client.foresight import Foresight
from outhaul.client.jobs import Job
from outhaul.client.outputs import is_standard_output, open_output
from outhaul.client.partial import OutputError, OutputTakenError
from outhaul.client.patience import Patience
from outhaul.client.queueing import Pace
from outhaul.client.quota import Quota
from outhaul.client.ranges import Parallel
from outhaul.client.retries import Backoff
from outhaul.client.session import Session
from outhaul.client.tasks import Landed, Task
from outhaul.client.told import Told, told_limits
from outhaul.client.wanted import Means, Wanted
from outhaul.client.watch import Watch
from outhaul.protocol.windows import Period, Window, split

if TYPE_CHECKING:
    from outhaul.client.parquet import ParquetFile, ParquetFolder, write_parquet
    from outhaul.client.spread import Spreading
    from outhaul.client.typed import MisfitError, batches
    from outhaul.client.typed_extracts import extract_batches
    from outhaul.records.readers import FileError

_LATER = {
    "FileError": "outhaul.records.readers",
    "MisfitError": "outhaul.client.typed",
    "ParquetFile": "outhaul.client.parquet",
    "ParquetFolder": "outhaul.client.parquet",
    "Spreading": "outhaul.client.spread",
    "batches": "outhaul.client.typed",
    "extract_batches": "outhaul.client.typed_extracts",
    "write_parquet": "outhaul.client.parquet",
}
"""Names that are imported when they are used, because Arrow and Polars take a while to import."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of the names above
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)


__all__ = [
    "ActivityType",
    "AlreadyQueuedError",
    "AnswerError",
    "Backoff",
    "CallsSpentError",
    "Checked",
    "ChecksumError",
    "ClientError",
    "CredentialsError",
    "DownloadError",
    "Ending",
    "Exports",
    "Extract",
    "ExtractWatch",
    "Extracted",
    "ExtractedFile",
    "Fate",
    "FileError",
    "FileMissingError",
    "Flight",
    "Forecast",
    "Foresight",
    "HttpError",
    "Job",
    "JobFailedError",
    "JoinError",
    "Landed",
    "Means",
    "MisfitError",
    "NotAFileError",
    "OutOfTimeError",
    "OutputError",
    "OutputTakenError",
    "Pace",
    "Parallel",
    "ParquetFile",
    "ParquetFolder",
    "Patience",
    "Period",
    "ProtocolError",
    "QueueFullError",
    "Quota",
    "QuotaExceededError",
    "QuotaSpentError",
    "Session",
    "Spreading",
    "Task",
    "Told",
    "UnreachableError",
    "Wanted",
    "Watch",
    "Window",
    "WindowsFailedError",
    "activity_types",
    "batches",
    "download",
    "download_into",
    "download_to",
    "extract_batches",
    "extract_files",
    "field_types",
    "is_standard_output",
    "open_output",
    "split",
    "told_limits",
    "write_parquet",
]
