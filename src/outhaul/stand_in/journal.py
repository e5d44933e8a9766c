"""The journal: the calls that a stand-in has answered, in memory."""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from outhaul.stand_in.calls import Call
from outhaul.stand_in.matching import is_subset

MOST_CALLS = 10_000
"""Most calls of a subscription in the journal. When one more arrives, the oldest goes."""

MOST_BYTES = 4 * 1024 * 1024
"""Most bytes of bodies of a subscription in the journal."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A call, and how it was answered."""

    number: int
    """The calls of a stand-in are numbered from 1, those of all subscriptions together."""
    call: Call
    job: str | None
    """The id of the export job: in the path, or in the answer to `create`."""
    status: int | None
    """The HTTP status; `None` if the connection ended without an answer."""
    code: str | None
    """The code of the error in the answer, such as `1029`, or the name of an OAuth error."""
    milliseconds: float
    """From the arrival of the call to the last byte of the answer."""

    def to_json(self) -> dict[str, Any]:
        """Return the entry as the control API shows it."""
        call = self.call
        return {
            "number": self.number,
            "at": precise(call.at),
            "call": call.name,
            "kind": call.kind,
            "job": self.job,
            "method": call.method,
            "path": call.path,
            "query": dict(call.query),
            "range": call.range,
            "body": call.body,
            "body_bytes": call.body_bytes,
            "status": self.status,
            "code": self.code,
            "service": call.who.client_id if call.who else None,
            "service_name": call.who.service if call.who else None,
            "user": call.who.email if call.who else None,
            "milliseconds": round(self.milliseconds, 1),
        }


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which calls to select. Of several values of one attribute, a call must have one."""

    call: Sequence[str] = ()
    kind: Sequence[str] = ()
    method: Sequence[str] = ()
    path: Sequence[str] = ()
    """A path that ends in `*` selects all paths that begin with the rest."""
    status: Sequence[int] = ()
    code: Sequence[str] = ()
    service: Sequence[str] = ()
    """Client ids or names of custom services."""
    job: Sequence[str] = ()
    body: Sequence[Any] = ()
    """JSON values that the body must contain, see `outhaul.stand_in.matching`."""
    since: int | datetime | None = None
    """The number of a call: only later ones. Or a moment: not those before it."""

    def selects(self, entry: Entry) -> bool:
        """Return whether an entry is selected. Raises `RecursionError` for a very deep body."""
        call = entry.call
        who = call.who
        return (
            _one_of(self.call, call.name)
            and _one_of(self.kind, call.kind)
            and _one_of(self.method, call.method)
            and (not self.path or any(_is_path(wanted, call.path) for wanted in self.path))
            and _one_of(self.status, entry.status)
            and _one_of(self.code, entry.code)
            and (not self.service or (who and {who.client_id, who.service} & {*self.service}))
            and _one_of(self.job, entry.job)
            and self._is_recent(entry)
            and (not self.body or any(is_subset(wanted, call.body) for wanted in self.body))
        ) is True

    def _is_recent(self, entry: Entry) -> bool:
        if isinstance(self.since, datetime):
            return entry.call.at >= self.since
        return self.since is None or entry.number > self.since


@dataclass
class _Ring:
    """The latest calls of one subscription."""

    entries: deque[Entry] = field(default_factory=deque)
    body_bytes: int = 0
    dropped: int = 0

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.body_bytes += _stored_bytes(entry)
        while len(self.entries) > MOST_CALLS or self.body_bytes > MOST_BYTES:
            self.body_bytes -= _stored_bytes(self.entries.popleft())
            self.dropped += 1


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Entries of the journal, oldest first."""

    entries: Sequence[Entry]
    dropped: int
    """How many calls of the subscription the journal had no room for. They are the oldest."""


class Journal:
    """The latest calls of each subscription, and those of none. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rings: dict[str | None, _Ring] = {}
        self._numbers = itertools.count(1)
        self._watchers: list[Callable[[Entry], None]] = []

    def watch(self, watcher: Callable[[Entry], None]) -> None:
        """Have a function called with each entry that is added. It must not wait."""
        self._watchers.append(watcher)

    def next_number(self) -> int:
        """Return the number of the call that ends next."""
        return next(self._numbers)

    def add(self, entry: Entry) -> None:
        """Add a call that was answered."""
        subscription = entry.call.who.subscription if entry.call.who else None
        with self._lock:
            self._rings.setdefault(subscription, _Ring()).add(entry)
        for watcher in self._watchers:
            watcher(entry)

    def select(self, subscription: str | None, wanted: Wanted) -> Selection:
        """Return the calls of a subscription that `wanted` selects.

        `None` stands for the calls that name no custom service that exists.
        """
        with self._lock:
            ring = self._rings.get(subscription, _Ring())
            entries, dropped = list(ring.entries), ring.dropped
        return Selection(
            entries=[each for each in entries if wanted.selects(each)], dropped=dropped
        )

    def clear(self, subscription: str | None) -> None:
        """Forget the calls of a subscription."""
        with self._lock:
            self._rings.pop(subscription, None)


def precise(moment: datetime) -> str:
    """Return a moment as text, to the millisecond: `2026-01-31T23:59:59.123Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _one_of(wanted: Sequence[Any], found: object) -> bool:
    return not wanted or found in wanted


def _is_path(wanted: str, path: str) -> bool:
    return path.startswith(wanted[:-1]) if wanted.endswith("*") else path == wanted


def _stored_bytes(entry: Entry) -> int:
    return 0 if entry.call.body is None else entry.call.body_bytes
