"""The envelopes of JSON answers."""

import secrets
import time
from collections.abc import Sequence
from typing import Annotated, Any, Generic, Literal, NamedTuple, Self, TypeVar

from pydantic import BeforeValidator, Field

from outhaul.protocol.answers.model import Answer, always

NO_ASSETS = "No assets found for the given search criteria."

T = TypeVar("T")


def request_id() -> str:
    """Return a new id of a call, such as `e42b#14272d07d78`: a random number, then milliseconds.

    All are of one length, so that two answers to one call are as well: one may be compressed from
    a size on, and `HEAD` tells the size of what `GET` would answer.
    """
    return f"{secrets.randbits(16):04x}#{time.time_ns() // 1_000_000:x}"


class CallError(Answer):
    """An error of a call."""

    code: Annotated[str, BeforeValidator(str)]
    message: Annotated[str, BeforeValidator(str)]


class Failure(Answer):
    """The answer of a call that failed. Most failures have the HTTP status 200."""

    model_config = always("requestId")

    request_id: str = ""
    success: Literal[False]
    errors: list[CallError] = Field(min_length=1)

    @classmethod
    def of(cls, call: str, code: str, message: str) -> Self:
        """Return the answer to the call with the id `call`."""
        error = CallError(code=code, message=message)
        return cls(request_id=call, success=False, errors=[error])


class Found(NamedTuple):
    """The result of a call, before it is put into an envelope."""

    result: Sequence[Any]
    token: str | None = None
    """The token of the next page, if there is one."""
    more: bool | None = None
    """Whether more records follow, for calls whose last page has a token too."""


def _read_list(value: object) -> object:
    return [] if value is None else value


class Success(Answer, Generic[T]):
    """The answer of a call that succeeded."""

    model_config = always("requestId", "result")

    request_id: str = ""
    result: Annotated[list[T], BeforeValidator(_read_list)] = Field(default=[])
    success: Literal[True]

    @classmethod
    def of(cls, call: str, found: Found) -> Self:
        """Return the answer to the call with the id `call`."""
        return cls(request_id=call, result=list(found.result), success=True)


class Page(Success[T], Generic[T]):
    """A page of records.

    The last page has no `nextPageToken` at all: a null one makes clients loop for ever.
    """

    next_page_token: str | None = None

    @classmethod
    def of(cls, call: str, found: Found) -> Self:
        """Return the answer to the call with the id `call`."""
        result = list(found.result)
        if found.token is None:
            return cls(request_id=call, result=result, success=True)
        return cls(request_id=call, result=result, success=True, next_page_token=found.token)


class RecordPage(Page[T], Generic[T]):
    """A page of records that says whether more of them follow."""

    model_config = always("requestId", "result", "moreResult")

    more_result: bool = False

    @classmethod
    def of(cls, call: str, found: Found) -> Self:
        """Return the answer to the call with the id `call`."""
        token = {} if found.token is None else {"next_page_token": found.token}
        return cls(
            request_id=call,
            result=list(found.result),
            success=True,
            more_result=found.token is not None,
            **token,
        )


class ActivityPage(Success[T], Generic[T]):
    """A page of activities. It always has a token; `moreResult` is false on the last page."""

    next_page_token: str
    more_result: bool

    @classmethod
    def of(cls, call: str, found: Found) -> Self:
        """Return the answer to the call with the id `call`."""
        assert found.token is not None  # noqa: S101 - pages of activities always have a token
        return cls(
            request_id=call,
            result=list(found.result),
            success=True,
            next_page_token=found.token,
            more_result=bool(found.more),
        )


class TokenOnly(Answer):
    """The answer of a call that returns a page token and no records."""

    request_id: str
    success: Literal[True]
    next_page_token: str

    @classmethod
    def of(cls, call: str, found: Found) -> Self:
        """Return the answer to the call with the id `call`."""
        assert found.token is not None  # noqa: S101 - the token is the result
        return cls(request_id=call, success=True, next_page_token=found.token)


class Assets(Answer, Generic[T]):
    """The answer of a call about assets.

    It always has arrays of errors and warnings, even if they are empty. If no asset was found, it
    has a warning and no `result`, which tells clients that no more pages follow.
    """

    success: Literal[True]
    errors: list[Any] = Field(max_length=0)
    request_id: str
    warnings: list[str]
    result: list[T] | None = Field(default=None, min_length=1)

    @classmethod
    def of(cls, call: str, found: Found) -> Self:
        """Return the answer to the call with the id `call`."""
        if not found.result:
            return cls(success=True, errors=[], request_id=call, warnings=[NO_ASSETS])
        result = list(found.result)
        return cls(success=True, errors=[], request_id=call, warnings=[], result=result)
