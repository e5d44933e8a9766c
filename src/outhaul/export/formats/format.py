"""The base class of formats, which turn records into the bytes of export files."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import polars as pl

from outhaul.limits import Limits
from outhaul.storage.store import Writable


class Format(ABC):
    """A format of export files.

    A file is the header, then all records in order, then the footer. Its parts are rendered in any
    order and on any machine. The bytes of a record may therefore not depend on the records before
    it, and the same records must give the same bytes.
    """

    name: str
    """The value of `format` in a request, in upper case."""
    media_type: str
    """The `Content-Type` of a file."""
    extension: str
    """The end of the name of a file, with its dot."""

    def for_limits(self, limits: Limits) -> "Format":  # noqa: ARG002 - most have no options
        """Return the format with the options that the limits of a subscription choose."""
        return self

    def options(self) -> Mapping[str, str]:
        """Return the options of this format as plain data, for the plan of a job."""
        return {}

    def with_options(self, options: Mapping[str, str]) -> "Format":  # noqa: ARG002
        """Return the format with these options."""
        return self

    def check_headers(self, headers: Sequence[str]) -> None:  # noqa: B027 - most take any
        """Raise `ApiError` if a file cannot have columns with these names."""

    @abstractmethod
    def cell(self, value: pl.Expr, of: pl.DataType, *, digits: bool) -> pl.Expr:
        """Return the value in the form that `batch` needs; `digits` writes booleans as 0 and 1."""

    @abstractmethod
    def header(self, headers: Sequence[str]) -> bytes:
        """Return the bytes before all records."""

    @abstractmethod
    def batch(self, records: pl.DataFrame, headers: Sequence[str], target: Writable) -> None:
        """Write records. Their columns come from `cell`, in the order of the headers."""

    def footer(self) -> bytes:
        """Return the bytes after all records."""
        return b""

    @contextmanager
    def part(self, target: Writable) -> Iterator[Writable]:
        """Wrap `target` while one part is written, for example to compress its bytes.

        The bytes of all parts in order must be a valid file.
        """
        yield target

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Format)
            and self.name == other.name
            and self.options() == other.options()
        )

    def __hash__(self) -> int:
        return hash(self.name)
