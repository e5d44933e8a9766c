"""Fetching a large file over several connections at once, each a range of it at a time.

One thread for each connection receives ranges and writes them to the partial file. The thread of
the caller follows the bytes that are there in order, for their checksum, and alone changes the
label. The next range is always the first one that is missing, so that it stays close behind.
"""

import contextlib
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import httpx2

from outhaul.client.arrived import sha256_of
from outhaul.client.attempts import Attempts, may_pass
from outhaul.client.errors import (
    DownloadError,
    FileMissingError,
    HttpError,
    NotAFileError,
    ProtocolError,
    UnreachableError,
)
from outhaul.client.file_answers import content_of, encoding_of, range_of, refuse_page, validator_of
from outhaul.client.jobs import Job
from outhaul.client.partial import Span
from outhaul.client.sinks import FileSink

_LOOK_SECONDS = 0.05
_END_SECONDS = 1.0
_TOO_MANY_CODES = ("606", "615")
_TOO_MANY_STATUSES = (429, 503)


@dataclass(frozen=True, kw_only=True)
class Parallel:
    """When and how a file is fetched over several connections at once."""

    connections: int = 4
    """How many connections at most. With 1, files are fetched over one connection."""
    large_bytes: int = 64 << 20
    """A file is large if so many bytes of it are missing."""
    slow_seconds: float = 5.0
    """A large file is fetched over several connections if the rest would take longer than this over
    one. Over a fast connection they would only get in each other's way."""
    range_bytes: int = 32 << 20
    """Bytes of a range, unless there would be more than `most_ranges`."""
    most_ranges: int = 32
    """Each range is a call, and an endpoint limits calls."""

    def ranges(self, size: int, there: Sequence[Span]) -> list[Span]:
        """Return the ranges to ask for: the bytes of a file that are not there, in order."""
        length = max(self.range_bytes, -(-size // self.most_ranges))
        return [
            Span(begin, min(begin + length, gap.end))
            for gap in gaps(size, there)
            for begin in range(gap.begin, gap.end, length)
        ]


def gaps(size: int, there: Sequence[Span]) -> Iterator[Span]:
    """Yield what is missing of a file. `there` is in order, without overlaps."""
    at = 0
    for begin, end in [*there, Span(size, size)]:
        if at < begin:
            yield Span(at, begin)
        at = end


class NoRangesError(Exception):
    """The endpoint does not give ranges of one version of the file."""


class _StoppedError(Exception):
    """The other connections have ended."""


@dataclass(eq=False)
class _Range:
    """A range of the file. `at` is how far it has come."""

    begin: int
    at: int
    end: int


class Ranges:
    """The fetching of the missing bytes of one file, whose size is known."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a download is about
        self,
        attempts: Attempts,
        path: str,
        job: Job,
        sink: FileSink,
        on_bytes: Callable[[int], None],
        parallel: Parallel,
    ) -> None:
        assert job.file_size is not None  # noqa: S101 - there are no ranges of an unknown size
        self._attempts = attempts
        self._session = attempts.session
        self._path = path
        self._job = job
        self._size = job.file_size
        self._sink = sink
        self._on_bytes = on_bytes
        self._has_checksum = sha256_of(job.checksum) is not None
        there = [Span(0, sink.arrived.size), *sink.apart]
        self._done = [_Range(begin, end, end) for begin, end in there]
        self._waiting = deque(
            _Range(begin, begin, end) for begin, end in parallel.ranges(self._size, there)
        )
        self._running: list[_Range] = []
        self._is_new = there == [Span(0, 0)]
        self._version = "" if self._is_new else sink.validator
        self._at_work = 0
        self._wanted = 1
        """How many connections there should be. The first one finds out if there are ranges."""
        self._is_sure = False
        self._allowed = max(1, parallel.connections)
        self._problem: BaseException | None = None
        self._answers: set[httpx2.Response] = set()
        self._threads: list[threading.Thread] = []
        self._news = threading.Condition()
        """Held to change what is above, except for how far a range has come."""
        self._is_stopped = False
        self._writing = threading.Lock()
        """Held to write, and to stop: nothing is written after that."""

    def fetch(self) -> None:
        """Fetch all that is missing. Raises `NoRangesError`, `ClientError`s and `OSError`.

        Also after an error, the sink knows which bytes are there.
        """
        try:
            noted = -1
            while True:
                with self._news:
                    if self._problem is not None:
                        raise self._problem
                    self._hire()
                    is_over = not self._at_work
                    done, spans = len(self._done), self._spans()
                if done != noted:
                    self._note(spans)
                    noted = done
                self._follow(spans)
                if is_over:
                    return
                self._session.patience.check()
                with self._news:
                    self._news.wait_for(partial(self._is_news, noted), _LOOK_SECONDS)
        finally:
            self._stop()
            spans = self._spans()
            self._follow(spans)
            self._note(spans)

    def _is_news(self, noted: int) -> bool:
        few = self._at_work < min(self._wanted, self._allowed, self._at_work + len(self._waiting))
        return few or not self._at_work or len(self._done) != noted or self._problem is not None

    def _note(self, spans: Sequence[Span]) -> None:
        self._sink.note(self._version)
        self._sink.note_apart(spans[1:])

    def _follow(self, spans: Sequence[Span]) -> None:
        self._sink.take_up(spans[0].end)
        self._on_bytes(sum(end - begin for begin, end in spans))

    def _spans(self) -> list[Span]:
        """Return which bytes are there, in order. The first span begins at 0."""
        spans = [Span(0, 0)]
        ranges = [*self._done, *self._running, *self._waiting]
        for begin, at in sorted((each.begin, each.at) for each in ranges):
            if begin == spans[-1].end:
                spans[-1] = Span(spans[-1].begin, at)
            elif begin < at:
                spans.append(Span(begin, at))
        return spans

    def _hire(self) -> None:
        """Start as many threads as are wanted and have something to do."""
        while self._at_work < min(self._wanted, self._allowed) and (each := self._next()):
            # A daemon: the program can end while a call still waits for the server.
            thread = threading.Thread(target=self._work, args=(each,), name="range", daemon=True)
            self._at_work += 1
            self._threads.append(thread)
            thread.start()

    def _next(self) -> _Range | None:
        if not self._waiting:
            return None
        self._running.append(self._waiting.popleft())
        return self._running[-1]

    def _work(self, each: _Range | None) -> None:
        """Fetch one range after another, until there is none or the connection fails."""
        try:
            while each is not None:
                is_whole = self._fill(each)
                with self._news:
                    self._running.remove(each)
                    if is_whole:
                        self._done.append(each)
                        # A connection that failed may be tried again.
                        self._wanted += self._wanted < self._allowed
                        each = self._next() if self._at_work <= self._allowed else None
                    else:
                        self._waiting.appendleft(each)
                        each = None
                    self._news.notify()
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread of the caller
            self._problem = self._problem or error
        finally:
            with self._news:
                self._at_work -= 1
                self._news.notify()

    def _fill(self, each: _Range) -> bool:
        """Fetch a range. Return false if this connection should end, so that there are fewer."""
        try:
            self._attempts.run(partial(self._receive, each), lambda: each.at, self._is_last)
        except (DownloadError, NotAFileError) as error:
            reason = error.__cause__ or error
            if not may_pass(reason):
                raise
            with self._news:
                if self._at_work == 1:
                    raise
                self._wanted = max(1, self._at_work - 1)
                if _is_too_many(reason):
                    self._allowed = self._wanted
            return False
        return True

    def _is_last(self) -> bool:
        """Return whether a call that fails is repeated: no other connection is at work."""
        with self._news:
            return self._at_work == 1 and not self._is_stopped

    def _receive(self, each: _Range) -> None:
        """Request the missing bytes of a range once, and write those that arrive."""
        headers = {"Range": f"bytes={each.at}-{each.end - 1}"}
        if self._version:
            headers["If-Range"] = self._version
        if self._is_stopped:
            raise _StoppedError
        try:
            with self._session.stream(self._path, headers) as response, self._answering(response):
                self._check(response, each)
                for piece in content_of(response, self._job.format)[0]:
                    self._session.patience.check()
                    self._put(piece, each)
        except HttpError as error:
            if error.status == httpx2.codes.NOT_FOUND:
                raise FileMissingError(self._job.export_id) from error
            if error.status == httpx2.codes.RANGE_NOT_SATISFIABLE:
                raise NoRangesError from error
            raise
        if each.at < each.end:
            raise UnreachableError(f"{self._session.url}: the range ended too soon", sent=True)

    def _check(self, response: httpx2.Response, each: _Range) -> None:
        """Raise `NoRangesError` if this is not the range of the right version of the file."""
        refuse_page(response)
        if range_of(response) != (each.at, each.end, self._size) or encoding_of(response):
            raise NoRangesError
        # With a checksum, the version is checked at the end. Some servers give each answer another.
        version = "" if self._has_checksum else validator_of(response)
        with self._news:
            if not self._has_checksum:
                if self._is_new and not self._is_sure:
                    self._version = version
                if not version or version != self._version:
                    raise NoRangesError
            if not self._is_sure:
                self._is_sure = True
                self._wanted = self._allowed
                self._news.notify()

    def _put(self, piece: bytes, each: _Range) -> None:
        if len(piece) > each.end - each.at:
            raise NoRangesError
        with self._writing:
            if self._is_stopped:
                raise _StoppedError
            self._sink.put(piece, each.at)
            each.at += len(piece)

    @contextlib.contextmanager
    def _answering(self, response: httpx2.Response) -> Iterator[None]:
        """Remember an answer while it is read, so that `_stop` can end it."""
        with self._news:
            self._answers.add(response)
        try:
            yield
        finally:
            with self._news:
                self._answers.discard(response)

    def _stop(self) -> None:
        """End the connections. Nothing is written any more when this returns."""
        with self._writing:
            self._is_stopped = True
        with self._news:
            answers = list(self._answers)
        for answer in answers:
            # A thread that waits for bytes goes on at once.
            stream = answer.extensions.get("network_stream")
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        end = time.monotonic() + _END_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))


def _is_too_many(error: BaseException) -> bool:
    """Return whether the endpoint says that there are too many calls."""
    match error:
        case ProtocolError(code=code):
            return code in _TOO_MANY_CODES
        case HttpError(status=status):
            return status in _TOO_MANY_STATUSES
    return False
