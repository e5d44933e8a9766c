"""Downloading an export file: resumed when a connection breaks, and checked at the end."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import httpx2

from outhaul.client.errors import (
    ChecksumError,
    ClientError,
    DownloadError,
    FileMissingError,
    HttpError,
    UnreachableError,
)
from outhaul.client.jobs import Job
from outhaul.client.retries import is_temporary
from outhaul.client.session import Session
from outhaul.client.sinks import FileSink, Sink, StreamSink

_SHA256 = "sha256:"
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)", re.ASCII)
_MISSING_ATTEMPTS = 3


def _quiet(_received: int) -> None:
    pass


def download(
    session: Session,
    path: str,
    job: Job,
    target: Path,
    on_bytes: Callable[[int], None] = _quiet,
) -> None:
    """Download the file of a Completed job to `target`, which appears once the file is complete.

    Until then the bytes are in `<target>.part`; a later call for the same job continues that file.
    `path` comes from `Exports.file_path`. `on_bytes` gets the number of bytes that have arrived so
    far; the number falls if the download has to start again.

    The size and the SHA-256 must match those of the job; a job without `checksum` is checked by
    size only. A file that does not match is downloaded once more before `ChecksumError` is raised.
    Raises `DownloadError` if the connection stays broken, other `ClientError`s, and `OSError` for
    a failure of the disk.
    """
    with FileSink(target, job) as sink:
        try:
            _fetch_checked(session, path, job, sink, on_bytes)
        except ChecksumError:
            sink.rewind()
            on_bytes(0)
            try:
                _fetch_checked(session, path, job, sink, on_bytes)
            except ChecksumError:
                sink.discard()
                raise
        sink.finish()


def download_to(
    session: Session,
    path: str,
    job: Job,
    stream: BinaryIO,
    on_bytes: Callable[[int], None] = _quiet,
) -> None:
    """Download the file of a Completed job into a stream, such as standard output.

    Works as `download` does, but bytes are written as they arrive: a `ChecksumError` at the end
    means that the bytes already written are wrong.
    """
    _fetch_checked(session, path, job, StreamSink(stream), on_bytes)
    stream.flush()


def _fetch_checked(
    session: Session, path: str, job: Job, sink: Sink, on_bytes: Callable[[int], None]
) -> None:
    if job.file_size is None or sink.received != job.file_size:
        _fetch(session, path, job, sink, on_bytes)
    if job.file_size not in (None, sink.received):
        raise ChecksumError(f"{job.export_id} has {sink.received} of {job.file_size} bytes")
    checksum = job.checksum or ""
    if checksum.startswith(_SHA256) and checksum.lower() != _SHA256 + sink.sha256:
        raise ChecksumError(f"{job.export_id} has {_SHA256}{sink.sha256}, not {checksum}")


def _fetch(
    session: Session, path: str, job: Job, sink: Sink, on_bytes: Callable[[int], None]
) -> None:
    """Fetch the missing bytes. An attempt that receives new bytes resets the count of attempts."""
    furthest = sink.received
    missing = 0

    def again(error: ClientError) -> bool:
        nonlocal missing
        if isinstance(error, FileMissingError):
            # On a live instance, the file of a Completed job may not exist yet.
            missing += 1
            return missing < _MISSING_ATTEMPTS
        return is_temporary(error) and sink.received <= furthest

    while True:
        try:
            session.repeat(lambda: _receive(session, path, job, sink, on_bytes), on=again)
        except ClientError as error:
            if not is_temporary(error):
                raise
            if sink.received <= furthest:
                raise DownloadError(
                    f"{job.export_id} broke off at {sink.received} bytes: {error}"
                ) from error
            furthest = sink.received
        else:
            return


def _receive(
    session: Session, path: str, job: Job, sink: Sink, on_bytes: Callable[[int], None]
) -> None:
    """Request the missing bytes once, and append those that arrive."""
    headers = {"Range": f"bytes={sink.received}-"} if sink.received else {}
    try:
        with session.stream(path, headers) as response:
            skip, size = _beginning(response, sink)
            for piece in response.iter_bytes():
                session.patience.check()
                fresh = piece[skip:] if skip else piece
                skip -= len(piece) - len(fresh)
                sink.append(fresh)
                if job.file_size is not None and sink.received > job.file_size:
                    raise ChecksumError(f"{job.export_id} has more than {job.file_size} bytes")
                on_bytes(sink.received)
    except HttpError as error:
        if error.status == httpx2.codes.NOT_FOUND:
            raise FileMissingError(job.export_id) from error
        if error.status == httpx2.codes.RANGE_NOT_SATISFIABLE:
            raise ChecksumError(
                f"{job.export_id} has no more than {sink.received} bytes at the server"
            ) from error
        raise
    if skip or sink.received < (size or 0) or sink.received < (job.file_size or 0):
        raise UnreachableError(f"{session.url}: the file ended too soon", sent=True)


def _beginning(response: httpx2.Response, sink: Sink) -> tuple[int, int | None]:
    """Return how many bytes to skip at the beginning of an answer, and the size of the whole file.

    A server may ignore `Range` and send the whole file. The size is `None` if the server does not
    give it. Raises `ChecksumError` if the server sends another range than the requested one.
    """
    if response.status_code == httpx2.codes.OK:
        length = response.headers.get("Content-Length", "")
        is_plain = "Content-Encoding" not in response.headers
        size = int(length) if is_plain and length.isascii() and length.isdigit() else None
        return sink.rewind() if sink.received else 0, size
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if match is None or int(match[1]) != sink.received:
        raise ChecksumError(f"the server sent other bytes than those from {sink.received} on")
    return 0, None if match[2] == "*" else int(match[2])
