"""Extracts as typed Arrow batches, without a file of one's own."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from outhaul.client.described import field_types
from outhaul.client.download import download
from outhaul.client.exports import Exports
from outhaul.client.jobs import Job
from outhaul.client.session import Session
from outhaul.client.typed import Misfits, batches
from outhaul.client.windows import Window, split
from outhaul.protocol.instants import parse_instant

_PERIODS = ("createdAt", "updatedAt")
_LONGEST = timedelta(days=31)


def _quiet(_what: object) -> None:
    pass


def extract_batches(  # noqa: PLR0913 - the last five have defaults
    session: Session,
    kind_path: str,
    request: Mapping[str, Any],
    *,
    types: Mapping[str, str] | None = None,
    misfits: Misfits = "error",
    longest: timedelta = _LONGEST,
    poll_seconds: float = 5.0,
    on_status: Callable[[Job], None] = _quiet,
) -> Iterator[pa.RecordBatch]:
    """Extract records of a kind, and yield them as typed batches, in order.

    `kind_path` and `request` are those of `Exports`. A period of the filters `createdAt` and
    `updatedAt` may be of any length: it is split into windows of `longest`, and each is a job. The
    file of a job is in a temporary folder while its batches are read. `types` has the `dataType` of
    each field; by default, the endpoint is asked for them. `misfits` is that of `batches`, for the
    file of each job by itself. Raises `ClientError`, `FileError`, and `OSError`.
    """
    described = field_types(session, kind_path) if types is None else types
    headers = request.get("columnHeaderNames") or {}
    named = {headers.get(name, name): of for name, of in described.items()}
    exports = Exports(session, kind_path)
    for part in _requests(request, longest):
        job = exports.run(part, on_status, poll_seconds=poll_seconds)
        if job.records == 0:
            continue
        with tempfile.TemporaryDirectory(prefix="outhaul-") as folder:
            file = Path(folder) / f"{job.export_id}.{job.format.lower()}"
            download(session, exports.file_path(job.export_id), job, file)
            yield from batches(file, named, misfits=misfits, notice=session.notice)


def _requests(request: Mapping[str, Any], longest: timedelta) -> Iterator[Mapping[str, Any]]:
    """Yield the requests of the windows of a period."""
    filters = request.get("filter") or {}
    for name in _PERIODS:
        period = filters.get(name)
        if isinstance(period, Mapping) and {"startAt", "endAt"} <= period.keys():
            # A fraction of a second is cut off, as the endpoint does.
            start, end = (
                parse_instant(str(period[each])).replace(microsecond=0)
                for each in ("startAt", "endAt")
            )
            if end - start > longest:
                for window in split(Window(start, end), longest):
                    yield {**request, "filter": {**filters, name: window.as_filter()}}
                return
    yield request
