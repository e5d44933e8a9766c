"""Reading the answer of a file call: which bytes of which file it has, and whether it is a file."""

import re
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import httpx2

from outhaul.client.bodies import pieces_of
from outhaul.client.errors import NotAFileError, UnreachableError

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII | re.IGNORECASE)
_LENGTH = re.compile(r"\d{1,18}", re.ASCII)
_PAGES = ("text/html", "application/xhtml+xml")
_BEGINNINGS = (b"<!doctype html", b"<html")
_SHOWN = 512
_GZIP_NAMES = ("gzip", "x-gzip")
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31


class AnswerRange(NamedTuple):
    """Bytes `begin` up to but not including `end` of a file that has `size` bytes, or `None`."""

    begin: int
    end: int
    size: int | None


def range_of(response: httpx2.Response) -> AnswerRange | None:
    """Return what `Content-Range` says, or `None` if it cannot be read."""
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if match is None:
        return None
    size = None if match[3] == "*" else int(match[3])
    return AnswerRange(int(match[1]), int(match[2]) + 1, size)


def whole_size(response: httpx2.Response) -> int | None:
    """Return the size of the file that an answer has as a whole, if it says so."""
    length = response.headers.get("Content-Length", "").strip()
    is_plain = not encoding_of(response)
    return int(length) if is_plain and _LENGTH.fullmatch(length) else None


def validator_of(response: httpx2.Response) -> str:
    """Return what names the version of the file, for `If-Range`, or an empty text.

    A weak `ETag` says nothing about single bytes.
    """
    tag: str = response.headers.get("ETag", "").strip()
    if tag:
        return tag if tag.startswith('"') else ""
    date: str = response.headers.get("Last-Modified", "").strip()
    return date


def refuse_page(response: httpx2.Response) -> None:
    """Raise `NotAFileError` if the answer says that it is a page, such as one of a login."""
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type in _PAGES:
        raise NotAFileError("it is an HTML page")


def encoding_of(response: httpx2.Response) -> str:
    """Return how an answer is compressed, in small letters, or an empty text."""
    encoding: str = response.headers.get("Content-Encoding", "").strip().lower()
    return "" if encoding == "identity" else encoding


def content_of(response: httpx2.Response, file_format: str) -> tuple[Iterator[bytes], bool]:
    """Return the bytes of the file in an answer, and whether the answer was compressed.

    No compression is asked for, because ranges and checksums count bytes of the file. Some servers
    compress nevertheless, and some only say so. Raises `NotAFileError` if the bytes are a page.
    """
    encoding = encoding_of(response)
    if response.status_code == httpx2.codes.PARTIAL_CONTENT and not encoding:
        # A range in the middle of a file may begin in any way.
        return pieces_of(response), False
    if not encoding:
        return _without_page(pieces_of(response)), False
    if encoding not in _GZIP_NAMES:
        return _without_page(response.iter_bytes()), True
    raw = response.iter_raw()
    beginning = b""
    for piece in raw:
        beginning += piece
        if len(beginning) >= len(_GZIP_MAGIC):
            break
    is_packed = (
        response.status_code == httpx2.codes.OK
        and beginning.startswith(_GZIP_MAGIC)
        and not file_format.endswith(".GZ")
    )
    pieces = _joined(beginning, raw)
    return _without_page(_unpacked(pieces) if is_packed else pieces), is_packed


def _joined(beginning: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if beginning:
        yield beginning
    yield from rest


def _unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(_GZIP_WINDOW)
    for piece in pieces:
        left = piece
        while left:
            if member.eof:
                member = zlib.decompressobj(_GZIP_WINDOW)
            try:
                yield member.decompress(left)
            except zlib.error as error:
                raise UnreachableError(
                    f"the compressed answer is broken: {error}", sent=True
                ) from error
            left = member.unused_data
    if not member.eof:
        raise UnreachableError("the compressed answer ended too soon", sent=True)


def _without_page(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the pieces. A file never begins as a page does, whatever the header says."""
    for number, piece in enumerate(pieces):
        if number == 0 and piece[:_SHOWN].lstrip().lower().startswith(_BEGINNINGS):
            raise NotAFileError("it is an HTML page")
        yield piece
