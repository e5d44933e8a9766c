"""What a format of export files is: how records become bytes."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import polars as pl

from outhaul.settings import Limits
from outhaul.storage.store import Writable


class Format(ABC):
    """How records become the bytes of a file.

    A file is the header, then all records in order, then the footer. It is rendered in parts, each
    wherever and whenever it suits: what a format writes of a record may not depend on the records
    before it. The same records give the same bytes.
    """

    name: str
    """What a request has for it in `format`, in capitals."""
    media_type: str
    """The content type that a file is sent with."""
    extension: str
    """What the name of such a file ends in, with its dot."""

    def for_limits(self, limits: Limits) -> "Format":  # noqa: ARG002 - most have no options
        """Return the format as a subscription with these limits has it."""
        return self

    def options(self) -> Mapping[str, str]:
        """Return, as plain data, what sets this format off from others of its name."""
        return {}

    def with_options(self, options: Mapping[str, str]) -> "Format":  # noqa: ARG002
        """Return the format that has these options."""
        return self

    def check_headers(self, headers: Sequence[str]) -> None:  # noqa: B027 - most take any
        """Raise `ApiError` where a file cannot have columns of these names."""

    @abstractmethod
    def cell(self, value: pl.Expr, of: pl.DataType, *, digits: bool) -> pl.Expr:
        """Return a value as `batch` takes it; with `digits`, a boolean is to be written 0 or 1."""

    @abstractmethod
    def header(self, headers: Sequence[str]) -> bytes:
        """Return what comes before all records."""

    @abstractmethod
    def batch(self, records: pl.DataFrame, headers: Sequence[str], target: Writable) -> None:
        """Write records; their columns are in the order of the headers, each made by `cell`."""

    def footer(self) -> bytes:
        """Return what comes after all records."""
        return b""

    @contextmanager
    def part(self, target: Writable) -> Iterator[Writable]:
        """Give what a part's bytes are written to, which ends up in `target`.

        The parts of a file, one after the other, are the file.
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
