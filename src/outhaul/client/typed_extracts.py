"""Extracts as typed Arrow batches, without a file of one's own."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from outhaul.client.described import field_types
from outhaul.client.extracts import extract_files
from outhaul.client.layout import Layout
from outhaul.client.session import Session
from outhaul.client.typed import Misfits, batches
from outhaul.client.wanted import Means
from outhaul.protocol.windows import Period


def extract_batches(  # noqa: PLR0913 - each says what is wanted, or how
    session: Session,
    kind_path: str,
    request: Mapping[str, Any],
    *,
    period: Period | str | None = None,
    by: str = "createdAt",
    types: Mapping[str, str] | None = None,
    misfits: Misfits = "error",
    means: Means | None = None,
) -> Iterator[pa.RecordBatch]:
    """Extract records of a kind, and yield them as typed batches.

    `period` may be of any length: it becomes windows, each of them a job, as `extract_files` says.
    The batches are those of the windows, from the oldest on. A record of leads, members or custom
    objects that changed meanwhile may be in two windows; the later one is its newer state. Without
    a period, there is one job. The files are in a temporary folder until their batches were read.

    `types` has the `dataType` of each field; by default, the endpoint is asked for them. `misfits`
    is that of `batches`, for each file by itself. Raises `ClientError`, `FileError`, and `OSError`.
    """
    described = field_types(session, kind_path) if types is None else types
    headers = request.get("columnHeaderNames") or {}
    named = {headers.get(name, name): of for name, of in described.items()}
    asked = Layout.of(kind_path, request).request.get("columnHeaderNames") or {}
    keys = {*asked.values()} - {*headers.values()}
    for file in extract_files(session, kind_path, request, period=period, by=by, means=means):
        if file.job.records != 0:
            for batch in batches(file.path, named, misfits=misfits, notice=session.notice):
                # The key of the records, if the request has left it out.
                added = [name for name in batch.schema.names if name in keys]
                yield batch.drop_columns(added) if added else batch
        file.path.unlink(missing_ok=True)
