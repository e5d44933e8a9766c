"""A client of any endpoint that speaks the bulk extract protocol: a live instance, or outhaul.

with Session("https://123-ABC-456.mktorest.com", client_id, client_secret) as session:
    exports = Exports(session, "leads")
    job = exports.run({"fields": ["id", "email"], "filter": {"staticListId": 1001}})
    download(session, exports.file_path(job.export_id), job, Path("leads.csv"))
"""

from outhaul.client.arrived import Checked
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
from outhaul.client.extracts import (
    Extract,
    Extracted,
    ExtractedFile,
    ExtractWatch,
    Means,
    Wanted,
    extract_files,
)
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
from outhaul.client.watch import Watch
from outhaul.client.windows import Period, Window, split

__all__ = [
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
    "NotAFileError",
    "OutOfTimeError",
    "OutputError",
    "OutputTakenError",
    "Pace",
    "Parallel",
    "Patience",
    "Period",
    "ProtocolError",
    "QueueFullError",
    "Quota",
    "QuotaExceededError",
    "QuotaSpentError",
    "Session",
    "Task",
    "Told",
    "UnreachableError",
    "Wanted",
    "Watch",
    "Window",
    "WindowsFailedError",
    "download",
    "download_into",
    "download_to",
    "extract_files",
    "is_standard_output",
    "open_output",
    "split",
    "told_limits",
]
