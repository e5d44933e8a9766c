"""Fetching an export file: resumed where a connection breaks, checked, and whole or not at all."""

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
from outhaul.client.exports import Job
from outhaul.client.parts import FilePart, Part, StreamPart
from outhaul.client.retries import passes
from outhaul.client.session import Session

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
    """Fetch a Completed job's file to `target`, which is there only when all of it is, checked.

    Until then its bytes are in `<target>.part`; when that is there from an earlier call for the
    same job, it goes on from there. `path` is `Exports.file_path`; `on_bytes` is told how many
    bytes have arrived in all, which becomes less where the file has to be begun anew.

    Size and SHA-256 are held against the job's; a file without `checksum` is checked by its size
    only. A wrong file is fetched once more, then raises `ChecksumError`. Raises `DownloadError`
    where the connection breaks and stays broken, other `ClientError`s, and `OSError` of the disk.
    """
    with FilePart(target, job) as part:
        try:
            _fetch_checked(session, path, job, part, on_bytes)
        except ChecksumError:
            part.rewind()
            on_bytes(0)
            try:
                _fetch_checked(session, path, job, part, on_bytes)
            except ChecksumError:
                part.discard()
                raise
        part.finish()


def download_to(
    session: Session,
    path: str,
    job: Job,
    stream: BinaryIO,
    on_bytes: Callable[[int], None] = _quiet,
) -> None:
    """Fetch a Completed job's file into a stream, such as standard output.

    As `download`, but bytes are passed on as they come: a `ChecksumError` at the end says that
    what was written is wrong.
    """
    _fetch_checked(session, path, job, StreamPart(stream), on_bytes)
    stream.flush()


def _fetch_checked(
    session: Session, path: str, job: Job, part: Part, on_bytes: Callable[[int], None]
) -> None:
    if job.file_size is None or part.received != job.file_size:
        _fetch(session, path, job, part, on_bytes)
    if job.file_size not in (None, part.received):
        raise ChecksumError(f"{job.export_id} has {part.received} of {job.file_size} bytes")
    checksum = job.checksum or ""
    if checksum.startswith(_SHA256) and checksum.lower() != _SHA256 + part.sha256:
        raise ChecksumError(f"{job.export_id} has {_SHA256}{part.sha256}, not {checksum}")


def _fetch(
    session: Session, path: str, job: Job, part: Part, on_bytes: Callable[[int], None]
) -> None:
    """Fetch all that is missing. Patience begins anew with every byte beyond the furthest."""
    furthest = part.received
    missing = 0

    def again(error: ClientError) -> bool:
        nonlocal missing
        if isinstance(error, FileMissingError):
            # Users of live instances meet Completed jobs whose file is not there yet.
            missing += 1
            return missing < _MISSING_ATTEMPTS
        return passes(error) and part.received <= furthest

    while True:
        try:
            session.repeat(lambda: _receive(session, path, job, part, on_bytes), on=again)
        except ClientError as error:
            if not passes(error):
                raise
            if part.received <= furthest:
                raise DownloadError(
                    f"{job.export_id} broke off at {part.received} bytes: {error}"
                ) from error
            furthest = part.received
        else:
            return


def _receive(
    session: Session, path: str, job: Job, part: Part, on_bytes: Callable[[int], None]
) -> None:
    """Take what one answer brings of the rest of the file."""
    headers = {"Range": f"bytes={part.received}-"} if part.received else {}
    try:
        with session.stream(path, headers) as response:
            skip, size = _place(response, part)
            for piece in response.iter_bytes():
                fresh = piece[skip:] if skip else piece
                skip -= len(piece) - len(fresh)
                part.append(fresh)
                if job.file_size is not None and part.received > job.file_size:
                    raise ChecksumError(f"{job.export_id} has more than {job.file_size} bytes")
                on_bytes(part.received)
    except HttpError as error:
        if error.status == httpx2.codes.NOT_FOUND:
            raise FileMissingError(job.export_id) from error
        if error.status == httpx2.codes.RANGE_NOT_SATISFIABLE:
            raise ChecksumError(
                f"{job.export_id} has no more than {part.received} bytes at the server"
            ) from error
        raise
    if skip or part.received < (size or 0) or part.received < (job.file_size or 0):
        raise UnreachableError(f"{session.url}: the file ended too soon", sent=True)


def _place(response: httpx2.Response, part: Part) -> tuple[int, int | None]:
    """Return how many bytes of an answer to pass over, and the size of the whole file if told.

    A server may ignore `Range` and send the whole file. Raises `ChecksumError` where it sends
    another range than it was asked for.
    """
    if response.status_code == httpx2.codes.OK:
        length = response.headers.get("Content-Length", "")
        is_plain = "Content-Encoding" not in response.headers
        size = int(length) if is_plain and length.isascii() and length.isdigit() else None
        return part.rewind() if part.received else 0, size
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if match is None or int(match[1]) != part.received:
        raise ChecksumError(f"bytes from {part.received} on were asked for, others came")
    return 0, None if match[2] == "*" else int(match[2])
