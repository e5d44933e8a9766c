"""What can go wrong between a client and an endpoint.

ClientError
├── UnreachableError         no answer: no connection, a broken one, a timeout
├── HttpError                an HTTP error in place of an answer of the protocol
├── AnswerError              an answer that does not follow the protocol
├── CredentialsError         the client id or the secret was refused
├── ProtocolError            an answer with `success: false`
│   ├── QuotaExceededError
│   ├── QueueFullError
│   ├── CallsSpentError
│   └── AlreadyQueuedError
├── QuotaSpentError          nothing that is left fits into the day's quota
├── WindowsFailedError       some windows of an extract have no file
├── JoinError                the files of windows do not fit together
├── OutOfTimeError           the limit of the run was reached
├── JobFailedError           the job ended without a file
└── DownloadError            the file could not be fetched
    ├── FileMissingError
    ├── NotAFileError
    └── ChecksumError

The first line of a class's docstring is the message; details of the case follow it.
"""

import inspect
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from outhaul.protocol.instants import render_instant


class ClientError(Exception):
    """The endpoint could not be used.

    `given_up` is true if it was already decided that the call is not repeated once more.
    """

    given_up = False

    def __init__(self, detail: str = "") -> None:
        message = (inspect.getdoc(type(self)) or "").partition("\n")[0]
        super().__init__(f"{message.rstrip('.')}: {detail}" if detail else message)


class UnreachableError(ClientError):
    """The server cannot be reached.

    `sent` is true if the request may have arrived nevertheless.
    """

    def __init__(self, detail: str = "", *, sent: bool) -> None:
        super().__init__(detail)
        self.sent = sent


class HttpError(ClientError):
    """The server answered with an HTTP error.

    `status` is the HTTP status. `retry_after` is the wait in seconds that the server asks for, or
    `None`.
    """

    def __init__(self, status: int, detail: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(f"{status} {detail}".strip())
        self.status = status
        self.retry_after = retry_after


class AnswerError(ClientError):
    """The server's answer is not of the bulk extract protocol."""


class CredentialsError(ClientError):
    """The server refused the client id or the client secret."""


class ProtocolError(ClientError):
    """The server refused the call.

    `code` and `message` are those of the first error in its answer. `repeated` is true if an
    earlier attempt of the same call may have succeeded, so that this error may be its consequence.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code} {message}".strip())
        self.code = code
        self.message = message
        self.repeated = False


class QuotaExceededError(ProtocolError):
    """The day's export quota is used up until midnight in America/Chicago."""


class QueueFullError(ProtocolError):
    """The server's queue of export jobs is full."""


class CallsSpentError(ProtocolError):
    """The day's calls are used up until midnight in America/Chicago."""


class AlreadyQueuedError(ProtocolError):
    """The job was put in the queue before."""


class QuotaSpentError(ClientError):
    """What is left does not fit into the day's export quota.

    `until` is when the next day begins, in UTC. `left` are the tasks that were not begun, as far as
    they were known.
    """

    def __init__(self, until: datetime, left: Sequence[Any]) -> None:
        count = f"{len(left)} job{'' if len(left) == 1 else 's'} left"
        super().__init__(f"{count}; the next day begins at {render_instant(until)}")
        self.until = until
        self.left: list[Any] = list(left)


class WindowsFailedError(ClientError):
    """Some windows have no file.

    `errors` says why, by the names of the windows. The files of the others are there.
    """

    def __init__(self, errors: Mapping[str, ClientError], count: int) -> None:
        name, first = next(iter(errors.items()))
        more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
        super().__init__(f"{len(errors)} of {count}; {name}: {first}{more}")
        self.errors = dict(errors)


class JoinError(ClientError):
    """The files of the windows cannot be joined."""


class OutOfTimeError(ClientError):
    """The time for the run is up.

    `limit` is the limit in seconds. `last_problem` is the error that the run was waiting out, or
    empty.
    """

    def __init__(self, limit: float, last_problem: str = "") -> None:
        problem = f"; the last problem: {last_problem}" if last_problem else ""
        super().__init__(f"{limit:.10g} s{problem}")
        self.limit = limit
        self.last_problem = last_problem


class JobFailedError(ClientError):
    """The export job ended without a file.

    `state` is Failed or Cancelled. `error_message` is the reason that the server gives, or `None`.
    """

    def __init__(self, export_id: str, state: str, error_message: str | None) -> None:
        reason = f": {error_message}" if error_message else ""
        super().__init__(f"{export_id} is {state}{reason}")
        self.export_id = export_id
        self.state = state
        self.error_message = error_message


class DownloadError(ClientError):
    """The export file could not be fetched."""


class FileMissingError(DownloadError):
    """The server has no such export file: it has expired, or the job is not completed."""


class NotAFileError(DownloadError):
    """The server sent something else in place of the export file."""


class ChecksumError(DownloadError):
    """The export file that arrived is not the one that the server announced."""


_BY_MESSAGE: tuple[tuple[re.Pattern[str], type[ProtocolError]], ...] = (
    (re.compile(r"Export daily quota\b", re.IGNORECASE), QuotaExceededError),
    (re.compile(r"Too many jobs in queue", re.IGNORECASE), QueueFullError),
    (re.compile(r"Job already queued", re.IGNORECASE), AlreadyQueuedError),
)


def refusal(code: str, message: str) -> ProtocolError:
    """Return the error for a code and its message. Code 1029 has three meanings, by message."""
    if code == "607":
        return CallsSpentError(code, message)
    if code == "1029":
        for pattern, error in _BY_MESSAGE:
            if pattern.search(message):
                return error(code, message)
    return ProtocolError(code, message)
