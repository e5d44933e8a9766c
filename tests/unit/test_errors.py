import re

import pytest

from outhaul.errors import ApiError, Error

ERRORS = pytest.mark.parametrize("error", list(Error), ids=lambda error: error.name)

# design.md, limits and rules; clients.md, messages clients match on.
TEXTS = {
    Error.TOKEN_INVALID: ("601", "Access token invalid"),
    Error.TOKEN_EXPIRED: ("602", "Access token expired"),
    Error.ACCESS_DENIED: ("603", "Access denied"),
    Error.CALLS_EXCEEDED: ("607", "Daily quota reached"),
    Error.TOO_MANY_AT_ONCE: ("615", "Concurrent access limit reached"),
    Error.QUEUE_FULL: ("1029", "Too many jobs in queue"),
    Error.ALREADY_QUEUED: ("1029", "Job already queued"),
    Error.FILTER_UNSUPPORTED: ("1035", "Unsupported filter type for target subscription"),
}


@ERRORS
def test_the_message_of_every_row_can_be_filled(error: Error) -> None:
    raised = error(**{name: f"<{name}>" for name in error.placeholders})
    assert isinstance(raised, ApiError)
    assert raised.error is error
    assert all(f"<{name}>" in raised.message for name in error.placeholders)
    assert not re.search(r"[{}]", raised.message)
    assert str(raised) == f"{error.code} {raised.message}"


@ERRORS
def test_a_message_without_one_of_its_values_is_a_programming_error(error: Error) -> None:
    for name in error.placeholders:
        with pytest.raises(KeyError):
            error(**dict.fromkeys(error.placeholders - {name}, ""))


@ERRORS
def test_only_what_clients_could_take_for_something_else_has_a_status_of_its_own(
    error: Error,
) -> None:
    known = {Error.BODY_TOO_LARGE: 413, Error.URI_TOO_LONG: 414, Error.FILE_UNAVAILABLE: 503}
    assert error.status == known.get(error, 200)
    assert re.fullmatch(r"[0-9]{3,4}", error.code)


def test_no_two_rows_are_the_same() -> None:
    # Python's enumerations take rows of equal values for one.
    assert len(Error) == len(Error.__members__)
    assert len({(error.code, error.text) for error in Error}) == len(Error)


@pytest.mark.parametrize("error", TEXTS, ids=lambda error: error.name)
def test_messages_that_clients_match_on_are_exact(error: Error) -> None:
    raised = error()
    assert (raised.error.code, raised.message) == TEXTS[error]


def test_the_exceeded_quota_is_told_as_clients_match_it() -> None:
    raised = Error.QUOTA_EXCEEDED(limit=500)
    assert raised.error.code == "1029"
    assert raised.message == "Export daily quota 500MB exceeded"


def test_the_exceeded_rate_is_told_as_the_original_tells_it() -> None:
    raised = Error.RATE_EXCEEDED(limit=100, seconds=20)
    assert raised.error.code == "606"
    assert raised.message == "Max rate limit '100' exceeded with in '20' secs"


def test_what_a_client_sent_is_not_taken_for_a_blank() -> None:
    assert Error.FIELD_UNKNOWN(field="{x}{0}%s").message == "Field '{x}{0}%s' not found"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Error.METHOD_NOT_SUPPORTED, "605"),
        (Error.JSON_INVALID, "609"),
        (Error.PATH_UNKNOWN, "610"),
        (Error.CONTENT_TYPE_INVALID, "612"),
        (Error.WRONG_TYPE, "1001"),
        (Error.PARAMETER_MISSING, "1002"),
        (Error.INVALID, "1003"),
        (Error.JOB_UNKNOWN, "1003"),
        (Error.FIELD_UNKNOWN, "1006"),
    ],
    ids=lambda value: value.name if isinstance(value, Error) else value,
)
def test_codes_are_those_of_the_design(error: Error, code: str) -> None:
    assert error.code == code
