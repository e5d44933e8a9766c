"""Faults: which call is answered otherwise, and how.

An answer either stands in place of the right one (`Http`, `Refusal`, `Json`, `Reset` …), and then
the call has no effect unless its fault says so; or it is the right one, altered (`WithJob`,
`CutOff`, `Headers` …), and then the call has its effect.
"""

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from tests.support.misbehaving.jobs import GONE
from tests.support.misbehaving.journal import Call
from tests.support.misbehaving.wire import Reply, Then, json_reply

if TYPE_CHECKING:
    from tests.support.misbehaving.endpoint import Endpoint


@dataclass(frozen=True)
class Times:
    """Calls `begin` up to `end` of one name, counted from 1; without `end`, all that follow."""

    begin: int
    end: int | None = None

    def __contains__(self, nth: int) -> bool:
        return self.begin <= nth and (self.end is None or nth <= self.end)


ALWAYS = Times(1)


def nth(number: int) -> Times:
    """Return the times of one call."""
    return Times(number, number)


def first(count: int) -> Times:
    """Return the times of the first calls."""
    return Times(1, count)


def from_on(number: int) -> Times:
    """Return the times of a call and of all that follow it."""
    return Times(number)


class Answer(Protocol):
    """What is answered to a call that has a fault."""

    alters: ClassVar[bool]
    """Whether the answer is made of the right one."""

    def reply(self, right: Reply) -> Reply:
        """Return what is sent. `right` is empty if the call had no effect."""


def _any_call(_call: Call) -> bool:
    return True


@dataclass(frozen=True)
class Fault:
    """A call that is answered otherwise.

    Fault("status", Http(502))                             the first status call
    Fault("status", Http(502), times=first(3))             the first three
    Fault("create", Reset(), effect=True)                  reset after the job was made
    Fault("file", CutOff(100), times=ALWAYS)               each file breaks off at byte 100
    Fault("status", Right(), times=nth(2), meanwhile=f)    `f(endpoint)` happens just before
    """

    call: str
    """token, create, enqueue, status, cancel, list or file."""
    answer: Answer
    times: Times = field(default=nth(1), kw_only=True)
    where: Callable[[Call], bool] = field(default=_any_call, kw_only=True)
    """Only calls for which this is true."""
    effect: bool | None = field(default=None, kw_only=True)
    """Whether the endpoint does what the call asks for. By default, if the answer alters the right
    one."""
    meanwhile: Callable[["Endpoint"], object] | None = field(default=None, kw_only=True)
    """What happens at the endpoint when the call arrives, before any effect."""

    def meets(self, call: Call) -> bool:
        return self.call == call.name and call.nth in self.times and self.where(call)

    @property
    def takes_effect(self) -> bool:
        return self.answer.alters if self.effect is None else self.effect


class _Instead:
    alters: ClassVar[bool] = False


class _Altered:
    alters: ClassVar[bool] = True


@dataclass(frozen=True)
class Http(_Instead):
    """An answer of HTTP and not of the protocol, such as 502."""

    status: int
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def reply(self, right: Reply) -> Reply:  # noqa: ARG002 - the same whatever is right
        return Reply(status=self.status, headers=self.headers, body=self.text.encode())


@dataclass(frozen=True)
class Text(_Instead):
    """A text with status 200; by default it claims to be JSON."""

    text: str
    media_type: str = "application/json;charset=UTF-8"

    def reply(self, right: Reply) -> Reply:  # noqa: ARG002 - the same whatever is right
        return Reply(headers={"Content-Type": self.media_type}, body=self.text.encode())


@dataclass(frozen=True)
class Html(_Instead):
    """A page of maintenance with status 200."""

    text: str = "<html><h1>Back soon</h1></html>\n"

    def reply(self, right: Reply) -> Reply:  # noqa: ARG002 - the same whatever is right
        return Reply(headers={"Content-Type": "text/html"}, body=self.text.encode())


@dataclass(frozen=True)
class Json(_Instead):
    """Other JSON than the right one, with status 200."""

    content: Any

    def reply(self, right: Reply) -> Reply:  # noqa: ARG002 - the same whatever is right
        return json_reply(self.content)


@dataclass(frozen=True)
class Refusal(_Instead):
    """The protocol's own answer to a call that failed."""

    code: Any
    message: Any = "no"
    status: int = 200

    def reply(self, right: Reply) -> Reply:  # noqa: ARG002 - the same whatever is right
        error = {"code": self.code, "message": self.message}
        error = {name: value for name, value in error.items() if value is not GONE}
        content = {"requestId": "1#1", "success": False, "errors": [error]}
        return json_reply(content, self.status)


@dataclass(frozen=True)
class Reset(_Instead):
    """The connection is reset in place of an answer."""

    def reply(self, right: Reply) -> Reply:
        return replace(right, limit=-1, then=Then.RESET)


@dataclass(frozen=True)
class Close(_Instead):
    """The connection is closed in place of an answer."""

    def reply(self, right: Reply) -> Reply:
        return replace(right, limit=-1, then=Then.CLOSE)


@dataclass(frozen=True)
class Hang(_Instead):
    """There is no answer, and the connection stays open."""

    def reply(self, right: Reply) -> Reply:
        return replace(right, limit=-1, then=Then.HANG)


@dataclass(frozen=True)
class Right(_Altered):
    """The right answer. For faults that are about an event at the endpoint."""

    def reply(self, right: Reply) -> Reply:
        return right


@dataclass(frozen=True)
class CutOff(_Altered):
    """The right answer up to so many bytes of its body; then the connection is closed."""

    after: int
    then: Then = Then.CLOSE

    def reply(self, right: Reply) -> Reply:
        return replace(right, limit=self.after, then=self.then)


@dataclass(frozen=True)
class ByteByByte(_Altered):
    """The right answer, in writes of one byte."""

    def reply(self, right: Reply) -> Reply:
        return replace(right, at_once=1)


@dataclass(frozen=True)
class Headers(_Altered):
    """The right answer with other headers; an empty value leaves the header out.

    An answer without `Content-Length` ends with its connection.
    """

    headers: Mapping[str, str]
    status: int | None = None

    def reply(self, right: Reply) -> Reply:
        ends = self.headers.get("Content-Length") is not None
        return replace(
            right,
            status=self.status or right.status,
            headers={**right.headers, **self.headers},
            then=Then.CLOSE if ends else right.then,
        )


@dataclass(frozen=True)
class Gzipped(_Altered):
    """The right answer, compressed, whatever the client accepts."""

    def reply(self, right: Reply) -> Reply:
        headers = {**right.headers, "Content-Encoding": "gzip"}
        return replace(right, headers=headers, body=gzip.compress(right.body, mtime=0))


@dataclass(frozen=True)
class OtherBytes(_Altered):
    """The right answer with another body."""

    change: Callable[[bytes], bytes]

    def reply(self, right: Reply) -> Reply:
        return replace(right, body=self.change(right.body))


@dataclass(frozen=True, init=False)
class WithMembers(_Altered):
    """The right JSON object with other members; `GONE` leaves one out."""

    members: Mapping[str, Any]

    def __init__(self, **members: Any) -> None:
        object.__setattr__(self, "members", members)

    def reply(self, right: Reply) -> Reply:
        return replace(right, body=_changed(right.content, self.members))


@dataclass(frozen=True, init=False)
class WithJob(WithMembers):
    """The right answer with other members of its job."""

    def reply(self, right: Reply) -> Reply:
        content = right.content
        if content.get("result"):
            content["result"] = [
                json.loads(_changed(entry, self.members)) for entry in content["result"]
            ]
        return replace(right, body=json.dumps(content).encode())


def _changed(content: Mapping[str, Any], members: Mapping[str, Any]) -> bytes:
    changed = {**content, **members}
    kept = {name: value for name, value in changed.items() if value is not GONE}
    return json.dumps(kept).encode()
