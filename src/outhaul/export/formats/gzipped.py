"""Gzip of any format, an extension of the protocol. Each part is one gzip member."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import polars as pl

from outhaul.export.formats.format import Format
from outhaul.limits import Limits
from outhaul.storage.store import Writable

LEVEL = 4
"""Level of compression, of 1 to 9. Higher levels take twice the time and save little."""

_GZIP = zlib.MAX_WBITS | 16
"""Makes zlib write the header and the checksum of a gzip member."""


class Gzipped(Format):
    """Another format, compressed. Gzip members in order are a valid file (RFC 1952, 2.2)."""

    media_type = "application/gzip"

    def __init__(self, inner: Format) -> None:
        self._inner = inner
        self.name = f"{inner.name}.GZ"
        self.extension = f"{inner.extension}.gz"

    def for_limits(self, limits: Limits) -> Format:
        return Gzipped(self._inner.for_limits(limits))

    def options(self) -> Mapping[str, str]:
        return self._inner.options()

    def with_options(self, options: Mapping[str, str]) -> Format:
        return Gzipped(self._inner.with_options(options))

    def check_headers(self, headers: Sequence[str]) -> None:
        self._inner.check_headers(headers)

    def cell(self, value: pl.Expr, of: pl.DataType, *, digits: bool) -> pl.Expr:
        return self._inner.cell(value, of, digits=digits)

    def header(self, headers: Sequence[str]) -> bytes:
        return self._inner.header(headers)

    def batch(self, records: pl.DataFrame, headers: Sequence[str], target: Writable) -> None:
        self._inner.batch(records, headers, target)

    def footer(self) -> bytes:
        return self._inner.footer()

    @contextmanager
    def part(self, target: Writable) -> Iterator[Writable]:
        member = _Member(target)
        with self._inner.part(member) as content:
            yield content
        member.finish()


class _Member:
    """A gzip member. It has no name and no time, so that the same content gives the same bytes."""

    def __init__(self, target: Writable) -> None:
        self._target = target
        self._compressor = zlib.compressobj(LEVEL, wbits=_GZIP)

    def write(self, content: bytes, /) -> int:
        self._emit(self._compressor.compress(content))
        return len(content)

    def finish(self) -> None:
        self._emit(self._compressor.flush())

    def _emit(self, compressed: bytes) -> None:
        if compressed:
            self._target.write(compressed)
