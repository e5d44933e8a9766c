"""Extractions into Parquet: the file of the job is fetched next to the output, then converted."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from outhaul.cli.console import errors
from outhaul.client import OutputError, Session
from outhaul.client.described import ActivityType, activity_types, field_types
from outhaul.client.partial import partial_path
from outhaul.client.sinks import FileSink

Attributes = Literal["json", "spread"]
Misfits = Literal["error", "text"]

NEEDED = ("activityTypeId", "attributes")
"""The fields that spread attributes need."""


@dataclass(frozen=True, kw_only=True)
class ParquetOrder:
    """How records are written to Parquet."""

    attributes: Attributes = "json"
    """Whether attributes of activities are one column of JSON, or columns, a file for each type."""
    misfits: Misfits = "error"
    """What is done about a value that does not have the type of its column."""


class NotTypedError(OutputError):
    """A value does not have the type that the endpoint describes, or the file is damaged."""


class ParquetOutput:
    """A Parquet file, or a folder of them. Enter its context before the job is made.

    Entering asks the endpoint for the types of the fields, so that no job is spent if it does not
    tell them. Raises `OutputError` and `ClientError`.
    """

    def __init__(
        self,
        output: str,
        order: ParquetOrder,
        columns: Sequence[str],
        headers: Mapping[str, str],
        file_format: str,
    ) -> None:
        # Here, because Arrow takes a while to import.
        from outhaul.client.parquet import ParquetFile, ParquetFolder  # noqa: PLC0415

        self._order = order
        self._columns = columns
        self._headers = headers
        self._target: ParquetFile | ParquetFolder = (
            ParquetFolder(output) if order.attributes == "spread" else ParquetFile(output)
        )
        self._part = partial_path(self._target.target)
        self.file = self._file_of(file_format)
        """The file of the job, as it came."""
        self._name = output
        self._types: dict[str, str] = {}
        self._activity_types: list[ActivityType] = []

    @contextmanager
    def opened(self, session: Session, kind_path: str) -> Iterator[FileSink]:
        """Yield the sink of the job's file."""
        with self._target, FileSink(self.file, self._name) as sink:
            types = field_types(session, kind_path)
            self._types = {self._headers.get(name, name): of for name, of in types.items()}
            if self._order.attributes == "spread":
                self._activity_types = activity_types(session)
            yield sink

    def publish(self, file_format: str, notice: Callable[[str], None]) -> None:
        """Convert the file, which has a format, publish the result, and remove the file.

        If the file cannot be converted, it stays. Raises `NotTypedError` then.
        """
        from outhaul.client.typed import MisfitError  # noqa: PLC0415
        from outhaul.records.readers import FileError  # noqa: PLC0415

        # A job that was taken up may have another format than the one of the options.
        self.file = self.file.replace(self._file_of(file_format))
        try:
            with _bar() as report:
                self._convert(notice, report)
        except FileError as error:
            first = error.problems[0]
            at = f"line {first.line} " if first.line else ""
            more = len(error.problems) + error.more - 1
            others = f", and {more:,} more" if more else ""
            advice = "; with --misfits text, such a column becomes text"
            raise NotTypedError(
                f"{first.reason} ({at}of {self.file}, which stays as it came){others}"
                f"{advice if isinstance(error, MisfitError) else ''}"
            ) from error
        except BaseException:
            self.file.unlink(missing_ok=True)
            raise
        self.file.unlink(missing_ok=True)

    def _file_of(self, file_format: str) -> Path:
        return self._part.with_name(f"{self._part.name}.{file_format.lower()}")

    def _convert(self, notice: Callable[[str], None], report: Callable[[float], None]) -> None:
        from outhaul.client.parquet import ParquetFile  # noqa: PLC0415
        from outhaul.client.spread import Spreading  # noqa: PLC0415
        from outhaul.client.typed import arrow_schema, batches  # noqa: PLC0415

        found = batches(
            self.file, self._types, misfits=self._order.misfits, notice=notice, report=report
        )
        if isinstance(self._target, ParquetFile):
            for batch in found:
                self._target.write(batch)
            names = self._columns or list(self._types)
            empty = {name: self._types.get(name, "string") for name in names}
            self._target.finish(arrow_schema(empty))
            return
        spreading: Spreading | None = None
        for batch in found:
            try:
                spreading = spreading or Spreading(self._activity_types, batch.schema)
            except ValueError as error:
                raise OutputError(str(error)) from None
            for of, records in spreading.split(batch):
                self._target.write(spreading.name(of), records)
        self._target.finish()


@contextmanager
def _bar() -> Iterator[Callable[[float], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, disable=not errors.is_terminal, transient=True) as bar:
        task = bar.add_task("writing Parquet", total=1.0)
        yield lambda share: bar.update(task, completed=share)
