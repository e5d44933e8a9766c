"""Every error that the API answers, in one table: name, code, message, HTTP status.

Domain code raises a row of the table (`raise Error.FIELD_UNKNOWN(field="favouriteColour")`), and
one handler in `outhaul.api` renders it. Codes and messages are those of the protocol's error
page. A message that says more than the original's begins with the original's text.
"""

from enum import Enum
from string import Formatter


class ApiError(Exception):
    """An error that the API answers: a row of the table, with its message's placeholders filled."""

    def __init__(self, error: "Error", message: str) -> None:
        super().__init__(f"{error.code} {message}")
        self.error = error
        self.message = message


class Error(Enum):
    """The table. Calling a member with the values of its message's placeholders gives the error."""

    TOKEN_MISSING = (
        "603",
        "Access denied: the access token must be in the header, as 'Authorization: Bearer <token>'",
    )
    TOKEN_INVALID = ("601", "Access token invalid")
    TOKEN_EXPIRED = ("602", "Access token expired")
    ACCESS_DENIED = ("603", "Access denied")
    METHOD_NOT_SUPPORTED = ("605", "Request method '{method}' not supported for {path}")
    RATE_EXCEEDED = ("606", "Max rate limit '{limit}' exceeded with in '{seconds}' secs")
    CALLS_EXCEEDED = ("607", "Daily quota reached")
    JSON_INVALID = ("609", "Invalid JSON: {problem}")
    PATH_UNKNOWN = ("610", "Requested resource not found: {path}")
    SYSTEM_ERROR = ("611", "System error")
    CONTENT_TYPE_INVALID = (
        "612",
        "Invalid content type '{content_type}': the body must be application/json",
    )
    TOO_MANY_AT_ONCE = ("615", "Concurrent access limit reached")
    TRANSIENT = ("713", "Transient error: {problem}")

    BODY_TOO_LARGE = ("413", "Request body larger than {limit} bytes", 413)
    URI_TOO_LONG = ("414", "Request URI longer than {limit} bytes", 414)
    # With status 200, a client would take the answer for the content of the file.
    FILE_UNAVAILABLE = ("713", "Transient error: the file cannot be read at the moment", 503)

    WRONG_TYPE = (
        "1001",
        "Invalid value '{value}' for parameter '{parameter}'. Required of type '{expected}'",
    )
    PARAMETER_MISSING = ("1002", "Missing value for required parameter '{parameter}'")
    INVALID = ("1003", "Invalid value for parameter '{parameter}': {problem}")
    JOB_UNKNOWN = ("1003", "Export job '{export_id}' not found")
    JOB_STATE = ("1003", "Export job '{export_id}' is {state} and cannot be {action}")
    LEAD_UNKNOWN = ("1004", "Lead not found: there is no lead with id {id}")
    FIELD_UNKNOWN = ("1006", "Field '{field}' not found")
    OBJECT_UNKNOWN = ("1013", "Object not found: there is no {what} with id {id}")
    QUEUE_FULL = ("1029", "Too many jobs in queue")
    QUOTA_EXCEEDED = ("1029", "Export daily quota {limit}MB exceeded")
    ALREADY_QUEUED = ("1029", "Job already queued")
    FILTER_UNSUPPORTED = ("1035", "Unsupported filter type for target subscription")

    def __init__(self, code: str, text: str, status: int = 200) -> None:
        self.code = code
        self.text = text
        self.status = status

    @property
    def placeholders(self) -> frozenset[str]:
        """The names of the values that the message needs."""
        return frozenset(name for _, name, _, _ in Formatter().parse(self.text) if name)

    def __call__(self, **values: object) -> ApiError:
        """Return the error to raise, with its message's placeholders filled."""
        return ApiError(self, self.text.format(**values))


LIMITS_ON_CALLS = frozenset({Error.RATE_EXCEEDED, Error.CALLS_EXCEEDED, Error.TOO_MANY_AT_ONCE})
"""Errors that any call can get, because the subscription makes too many calls."""
