"""Sending of export files, whole or a range of bytes, from their parts in the store."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Literal, TypeAlias

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse

from outhaul.errors import Error
from outhaul.jobs.job import Job
from outhaul.protocol.conditions import has_tag
from outhaul.protocol.ranges import ByteRange, UnsatisfiableRangeError, parse_range
from outhaul.storage.store import FileStore, SignsAddresses

Method: TypeAlias = Literal["GET", "HEAD"]

log = structlog.get_logger()


async def file_response(
    files: FileStore,
    job: Job,
    parts: Sequence[tuple[str, int]],
    headers: Headers,
    method: Method = "GET",
) -> Response:
    """Return the file of a Completed job, or the bytes of it that a `Range` header asks for.

    For HEAD it is the answer to GET without the file. `Range` then counts for nothing (RFC 9110,
    14.2).

    If `If-None-Match` has the tag of the file, the status is 304. If `If-Range` has another tag,
    `Range` is ignored (RFC 9110, 13.1.5). A failure of the store before the first byte is an
    error; later failures close the connection, because the status is sent by then.
    """
    size = job.file_size or 0
    tag = f'"{job.checksum}"'
    common = {"Accept-Ranges": "bytes", "ETag": tag}
    if has_tag(headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=common)
    ranged = method == "GET" and headers.get("if-range", tag) == tag
    wanted = headers.get("range") if ranged else None
    try:
        found = parse_range(wanted, size)
    except UnsatisfiableRangeError:
        return PlainTextResponse(
            "Range Not Satisfiable\n",
            status_code=416,
            headers=common | {"Content-Range": f"bytes */{size}"},
        )
    sent = found or ByteRange(0, size)
    common["Content-Length"] = str(sent.length)
    if found:
        common["Content-Range"] = found.content_range(size)
    # For HEAD a byte is read, so that a file that is gone is 404 as for GET.
    content = files.stream(parts, sent if method == "GET" else ByteRange(0, min(1, size)))
    try:
        first = await anext(content, b"")
    except FileNotFoundError as error:
        log.error("a part of a file is missing", job=job.id, error=str(error))  # noqa: TRY400
        return PlainTextResponse(
            f"Not Found: the file of export job {job.id} is gone\n", status_code=404
        )
    except OSError as error:
        log.error("a file cannot be read", job=job.id, error=str(error))  # noqa: TRY400
        raise Error.FILE_UNAVAILABLE() from error
    media_type = job.request.format.media_type
    if method == "HEAD":
        await content.aclose()
        return Response(headers=common, media_type=media_type)
    return StreamingResponse(
        _all_of(first, content, job),
        status_code=206 if found else 200,
        headers=common,
        media_type=media_type,
    )


async def redirect_response(
    files: FileStore, parts: Sequence[tuple[str, int]], method: Method = "GET"
) -> Response | None:
    """Return a redirect to a signed address of the file; `None` if that is not possible.

    It is possible if the file has one part, and the store can sign addresses. The bucket answers
    `Range`: the client sends its headers again when it follows the redirect.
    """
    if len(parts) != 1 or not isinstance(files, SignsAddresses):
        return None
    try:
        url = await run_in_threadpool(files.signed_url, parts[0][0], method)
    except OSError as error:
        log.error("the address of a file cannot be signed", error=str(error))  # noqa: TRY400
        raise Error.FILE_UNAVAILABLE() from error
    # The address gives access to the file without a token, so caches must not store it.
    return RedirectResponse(url, headers={"Cache-Control": "no-store"})


async def _all_of(
    first: bytes, rest: AsyncGenerator[bytes, None], job: Job
) -> AsyncGenerator[bytes, None]:
    async with aclosing(rest):
        yield first
        del first  # it would stay in memory for as long as the download takes
        try:
            async for piece in rest:
                yield piece
        except OSError as error:
            # The server closes the connection, as fewer bytes than `Content-Length` were sent.
            log.error("a download breaks off", job=job.id, error=str(error))  # noqa: TRY400
            raise
