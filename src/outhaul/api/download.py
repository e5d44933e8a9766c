"""Sending a finished file: whole or a range, a mebibyte at a time, across its parts."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from outhaul.files.pieces import pieces
from outhaul.files.store import FileStore
from outhaul.jobs.job import Job
from outhaul.protocol.ranges import ByteRange, UnsatisfiableRangeError, parse_range

# Whatever its dialect: one client matches on text/csv, another reads mojibake without charset.
MEDIA_TYPE = "text/csv;charset=UTF-8"


def file_response(
    files: FileStore, job: Job, parts: Sequence[tuple[str, int]], headers: Headers
) -> Response:
    """Return the file of a Completed job, or the bytes of it that a `Range` header asks for.

    A range under an `If-Range` that names another file gives the whole file (RFC 9110, 13.1.5).
    """
    size = job.file_size or 0
    tag = f'"{job.checksum}"'
    common = {"Accept-Ranges": "bytes", "ETag": tag}
    wanted = headers.get("range") if headers.get("if-range", tag) == tag else None
    try:
        found = parse_range(wanted, size)
    except UnsatisfiableRangeError:
        return PlainTextResponse(
            "Range Not Satisfiable\n",
            status_code=416,
            headers=common | {"Content-Range": f"bytes */{size}"},
        )
    stretch = found or ByteRange(0, size)
    common["Content-Length"] = str(stretch.length)
    if found:
        common["Content-Range"] = found.content_range(size)
    return StreamingResponse(
        _read(files, parts, stretch),
        status_code=206 if found else 200,
        headers=common,
        media_type=MEDIA_TYPE,
    )


async def _read(
    files: FileStore, parts: Sequence[tuple[str, int]], stretch: ByteRange
) -> AsyncIterator[bytes]:
    """Give the bytes a piece at a time.

    What is in the system's cache, as a fresh export is, is read at once: a trip to a thread for
    every piece costs a third of the processor time of a download.
    """
    loop = asyncio.get_running_loop()
    for piece in pieces(parts, stretch):
        content = files.read_cached(*piece)
        if content is None:
            content = await loop.run_in_executor(None, files.read, *piece)
        yield content
