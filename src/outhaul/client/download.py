"""Downloading an export file: resumed when a connection breaks, and checked at the end."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import httpx2

from outhaul.client.arrived import Arrived, Checked, sha256_of
from outhaul.client.attempts import Attempts
from outhaul.client.errors import (
    ChecksumError,
    FileMissingError,
    HttpError,
    UnreachableError,
)
from outhaul.client.file_answers import content_of, range_of, refuse_page, validator_of, whole_size
from outhaul.client.jobs import Job
from outhaul.client.outputs import open_output
from outhaul.client.ranges import NoRangesError, Parallel, Ranges
from outhaul.client.session import Session
from outhaul.client.sinks import FileSink, Sink, StreamSink

_MOST_OTHERS = 5
_LOOK_SECONDS = 1.0


class _SlowError(Exception):
    """The rest of the file would take too long over this connection alone."""


def _quiet(_received: int) -> None:
    pass


def download(  # noqa: PLR0913 - the last two have defaults
    session: Session,
    path: str,
    job: Job,
    target: Path,
    on_bytes: Callable[[int], None] = _quiet,
    *,
    parallel: Parallel = Parallel(),  # noqa: B008 - it cannot change
) -> Checked:
    """Download the file of a Completed job to `target`, which appears once the file is complete.

    Works as `download_into` does with the output `target`. Raises `OutputTakenError` if another run
    writes to the same target.
    """
    with open_output(target) as sink:
        return download_into(session, path, job, sink, on_bytes, parallel=parallel)


def download_to(
    session: Session,
    path: str,
    job: Job,
    stream: BinaryIO,
    on_bytes: Callable[[int], None] = _quiet,
) -> Checked:
    """Download the file of a Completed job into a stream, such as standard output.

    Works as `download_into` does.
    """
    return download_into(session, path, job, StreamSink(stream), on_bytes)


def download_into(  # noqa: PLR0913 - the last two have defaults
    session: Session,
    path: str,
    job: Job,
    sink: Sink,
    on_bytes: Callable[[int], None] = _quiet,
    *,
    missing_attempts: int | None = None,
    parallel: Parallel = Parallel(),  # noqa: B008 - it cannot change
) -> Checked:
    """Download the file of a Completed job into an output, and return what was checked.

    `path` comes from `Exports.file_path`. `on_bytes` gets the number of bytes that have arrived so
    far; the number falls if the download has to start again. The file of a job that has just been
    completed may be missing for a while; `missing_attempts` limits how often it is asked for. A
    large file is fetched over several connections, as `parallel` says, if the output is a file.

    The size and the SHA-256 must be those of the job, as far as it has them. Without a SHA-256 the
    number of records must be right. A file that does not match is downloaded once more. If other
    bytes come then, the network alters them, and a few more attempts are made; if the same come
    again, `ChecksumError` is raised. Bytes that a stream got cannot be taken back, so that then the
    error is raised at once. Raises `DownloadError` if the connection stays broken, other
    `ClientError`s, and `OSError` for a failure of the output.
    """
    sink.begin(job)
    fetch = _Download(session, path, job, sink, on_bytes, missing_attempts, parallel)
    came: set[str] = set()
    while True:
        try:
            checked = fetch.checked()
            break
        except ChecksumError as error:
            if not sink.can_begin_again:
                raise
            sha256 = sink.arrived.sha256
            if sha256 in came or len(came) >= _MOST_OTHERS:
                sink.discard()
                raise
            came.add(sha256)
            session.notice(f"{error}; downloading it once more")
            fetch.begin_again()
    sink.finish()
    return checked


class _Download:
    """The download of one file, over any number of answers."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a download is about
        self,
        session: Session,
        path: str,
        job: Job,
        sink: Sink,
        on_bytes: Callable[[int], None],
        missing_attempts: int | None,
        parallel: Parallel,
    ) -> None:
        self._session = session
        self._path = path
        self._job = job
        self._sink = sink
        self._on_bytes = on_bytes
        self._missing_attempts = missing_attempts
        self._parallel = parallel
        self._may_be_ranged = True
        self._is_slow = not parallel.slow_seconds
        self._has_checksum = sha256_of(job.checksum) is not None
        self._size: int | None = None
        """Bytes of the whole file, as the answers so far say."""
        self._is_packed = False
        """Whether answers are compressed. Their ranges would then count compressed bytes."""

    def begin_again(self) -> None:
        self._may_be_ranged = False
        self._sink.rewind()
        self._size = None
        self._on_bytes(0)

    def checked(self) -> Checked:
        """Fetch the missing bytes, and check all. Raises `ChecksumError` and other errors."""
        if not self._is_whole():
            self._fetch()
        return self._sink.arrived.check()

    def _is_whole(self) -> bool:
        return self._sink.arrived.size == self._job.file_size

    def _fetch(self) -> None:
        """Fetch the missing bytes: a large file in ranges, if the endpoint gives them."""
        sink = self._sink
        attempts = Attempts(
            session=self._session, name=self._job.export_id, missing=self._missing_attempts
        )
        # What an earlier run has fetched out of order is not fetched again.
        if isinstance(sink, FileSink) and sink.apart and self._may_be_ranged:
            self._is_slow = True
        try:
            if isinstance(sink, FileSink):
                if self._is_slow and self._fetch_ranges(attempts, sink):
                    return
                sink.gather()
            attempts.run(self._receive, lambda: sink.arrived.size)
        except _SlowError:
            self._is_slow = True
            self._fetch()

    def _fetch_ranges(self, attempts: Attempts, sink: FileSink) -> bool:
        """Fetch the missing bytes over several connections; return false if that is no use."""
        if not (sink.apart or self._is_large()) or not self._can_be_ranged(sink):
            return False
        fetch = Ranges(attempts, self._path, self._job, sink, self._on_bytes, self._parallel)
        with contextlib.suppress(NoRangesError):
            fetch.fetch()
            return True
        self._may_be_ranged = False
        return False

    def _can_be_ranged(self, sink: FileSink) -> bool:
        end = sink.apart[-1].end if sink.apart else sink.arrived.size
        return (
            self._may_be_ranged and self._job.file_size is not None and end <= self._job.file_size
        )

    def _is_large(self) -> bool:
        """Return whether enough bytes are missing in order for several connections."""
        missing = (self._job.file_size or 0) - self._sink.arrived.size
        return self._parallel.connections > 1 and missing >= self._parallel.large_bytes

    def _check_speed(self, begun: float, received: int) -> None:
        """Raise `_SlowError` if the rest of a large file would take too long at this speed."""
        elapsed = self._session.patience.now() - begun
        if elapsed < _LOOK_SECONDS or self._is_slow or not self._is_large():
            return
        missing = (self._job.file_size or 0) - self._sink.arrived.size
        if (
            isinstance(self._sink, FileSink)
            and self._can_be_ranged(self._sink)
            and missing / received * elapsed > self._parallel.slow_seconds
        ):
            raise _SlowError

    def _receive(self) -> None:
        """Request the missing bytes once, and append those that arrive."""
        name = self._job.export_id
        try:
            with self._session.stream(self._path, self._headers()) as response:
                self._append(response)
        except HttpError as error:
            if error.status == httpx2.codes.NOT_FOUND:
                raise FileMissingError(name) from error
            if error.status == httpx2.codes.RANGE_NOT_SATISFIABLE:
                raise ChecksumError(
                    f"{name} has no more than {self._sink.arrived.size} bytes at the server"
                ) from error
            raise
        except UnreachableError:
            # A length that the server states wrongly is no reason to ask for what is not there.
            if not self._is_whole():
                raise

    def _headers(self) -> dict[str, str]:
        begin = self._sink.arrived.size
        if not begin or self._is_packed:
            return {}
        headers = {"Range": f"bytes={begin}-"}
        if self._sink.validator:
            # The server sends the whole file if it is another version.
            headers["If-Range"] = self._sink.validator
        return headers

    def _append(self, response: httpx2.Response) -> None:
        """Append the bytes of an answer. Raises `ClientError` if they are wrong or too few."""
        sink, job = self._sink, self._job
        refuse_page(response)
        skip, end = self._begin_answer(response)
        skipped = Arrived(job)
        content, is_packed = content_of(response, job.format)
        self._is_packed = self._is_packed or is_packed
        begun, came = self._session.patience.now(), 0
        for piece in content:
            self._session.patience.check()
            came += len(piece)
            old, fresh = piece[:skip], piece[skip:]
            if old:
                skip -= len(old)
                skipped.update(old)
                if not skip and skipped.sha256 != sink.arrived.sha256:
                    raise ChecksumError(f"{job.export_id} has changed at the server")
            if fresh:
                sink.append(fresh)
            received = sink.arrived.size
            if end is not None and not is_packed and received > end:
                raise ChecksumError(f"the server sent more than the bytes up to {end}")
            if job.file_size is not None and received > job.file_size:
                raise ChecksumError(f"{job.export_id} has more than {job.file_size} bytes")
            self._on_bytes(received)
            if not is_packed and came:
                self._check_speed(begun, came)
        expected = self._size if job.file_size is None else job.file_size
        if skip or sink.arrived.size < (expected or 0):
            raise UnreachableError(f"{self._session.url}: the file ended too soon", sent=True)

    def _begin_answer(self, response: httpx2.Response) -> tuple[int, int | None]:
        """Return how many bytes to skip at the beginning of an answer, and where its bytes end.

        A server may ignore `Range` and send the whole file. Raises `ChecksumError` if it sends
        another range than the requested one, or one of another file.
        """
        sink = self._sink
        if response.status_code == httpx2.codes.OK:
            skip = sink.rewind() if sink.arrived.size else 0
            size = end = whole_size(response)
        else:
            found = range_of(response)
            if found is None or found.begin != sink.arrived.size:
                raise ChecksumError(
                    f"the server sent other bytes than those from {sink.arrived.size} on"
                )
            skip, end, size = 0, found.end, found.size
            if None not in (self._size, size) and self._size != size and not self._has_checksum:
                raise ChecksumError(
                    f"{self._job.export_id} has changed from {self._size} to {size} bytes"
                )
        # With a checksum, the version is checked at the end. Some servers give each answer another.
        validator = "" if self._has_checksum else validator_of(response)
        if skip == 0 and sink.arrived.size and validator and sink.validator not in ("", validator):
            raise ChecksumError(f"{self._job.export_id} has changed at the server")
        self._size = size if size is not None else self._size
        if not sink.arrived.size:
            sink.note(validator)
        return skip, end
