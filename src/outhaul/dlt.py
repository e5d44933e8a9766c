"""A source for dlt: the records of any endpoint that speaks the bulk extract protocol, as Arrow.

import dlt
from outhaul.dlt import source

pipeline = dlt.pipeline("marketo", destination="duckdb", dataset_name="marketo")
pipeline.run(source(url, client_id, client_secret, start="2026-01-01T00:00:00Z"))

It needs the extra `outhaul[dlt]`.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import dlt
import pyarrow as pa
from dlt.common.runtime.anon_tracker import disable_anon_tracker

from outhaul.client import (
    Means,
    Pace,
    Patience,
    Period,
    Session,
    Window,
    extract_batches,
    field_types,
)
from outhaul.client.described import ACTIVITY_FIELDS, member_types
from outhaul.protocol.instants import parse_instant, render_instant

TELEMETRY = "RUNTIME__DLTHUB_TELEMETRY"
_UNTIL = "until"
_MOST_PROGRAMS = 10


def _say_nothing() -> None:
    """Keep dlt from reporting each run to its makers, unless its configuration asks for that."""
    if dlt.config.get("runtime.dlthub_telemetry") is None:
        os.environ[TELEMETRY] = "false"
        # dlt has read its configuration when it was imported.
        disable_anon_tracker()


_say_nothing()


@dataclass(frozen=True, kw_only=True)
class _Extract:
    """One resource: which records it brings, and by which filter."""

    url: str
    client_id: str
    client_secret: str
    kind_path: str
    filter: str
    start: datetime
    overlap: timedelta
    timeout: float | None
    poll_seconds: float
    wait: bool
    fields: Sequence[str] | None = None
    requests: Sequence[Mapping[str, Any]] = ({},)
    """The further filters of each request."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the records of the window that has not been read, and note its end in the state.

        The state is stored with the records: if the run fails, the next one reads the window again.
        The cursor is the end of the window, not the latest date of a record: the filter `updatedAt`
        also finds records whose own field `updatedAt` is older.
        """
        state = dlt.current.resource_state()
        with Session(
            self.url, self.client_id, self.client_secret, patience=Patience(self.timeout)
        ) as session:
            types = field_types(session, self.kind_path)
            window = self._window(session, state.get(_UNTIL))
            if window is None:
                return
            fields = self.fields or self._all_fields(session, types)
            for more in self.requests:
                yield from extract_batches(
                    session,
                    self.kind_path,
                    {"fields": list(fields), "filter": dict(more)},
                    period=Period(window.start, window.end),
                    by=self.filter,
                    types=types,
                    means=Means(wait=self.wait, pace=Pace(poll_seconds=self.poll_seconds)),
                )
        state[_UNTIL] = render_instant(window.end)

    def _window(self, session: Session, until: str | None) -> Window | None:
        """Return what has not been read, or `None` if that is nothing."""
        start = self.start
        if until is not None:
            following = parse_instant(until) + timedelta(seconds=1)
            start = max(start, following - self.overlap)
        try:
            return Period(start, None).until(session.endpoint_time() or datetime.now(UTC))
        except ValueError:
            return None

    def _all_fields(self, session: Session, types: Mapping[str, str]) -> Sequence[str]:
        if self.kind_path == "program/members":
            return ["programId", *(name for name in member_types(session) if name != "programId")]
        return list(types)


def _source(  # noqa: PLR0913 - dlt fills in what its configuration has
    url: str = dlt.config.value,
    client_id: str = dlt.secrets.value,
    client_secret: str = dlt.secrets.value,
    start: str = "2020-01-01T00:00:00Z",
    *,
    lead_fields: Sequence[str] | None = None,
    lead_filter: Literal["updatedAt", "createdAt"] = "updatedAt",
    activity_types: Sequence[int] | None = None,
    programs: Sequence[int] | None = None,
    member_fields: Sequence[str] | None = None,
    custom_objects: Sequence[str] | None = None,
    overlap: float = 3600.0,
    timeout: float | None = None,
    poll_seconds: float = 5.0,
    wait: bool = False,
) -> list[Any]:
    """Return the resources `leads` and `activities`, and those of members and custom objects.

    `start` is the moment from which the first run reads; later runs go on where the last one ended,
    and read `overlap` seconds before that once more. Records are merged by their keys, so that none
    is there twice. Without `lead_fields` and `member_fields`, all described fields are read.
    `programs` are the ids of programs, and `custom_objects` API names of types: without them, there
    are no such resources. `timeout` limits each resource, in seconds. `wait` waits for the
    next day when the day's quota is spent; otherwise the run fails then, and the next one goes on.
    """
    shared: dict[str, Any] = {
        "url": url,
        "client_id": client_id,
        "client_secret": client_secret,
        "start": parse_instant(start).replace(microsecond=0),
        "overlap": timedelta(seconds=overlap),
        "timeout": timeout,
        "poll_seconds": poll_seconds,
        "wait": wait,
    }
    types = {} if activity_types is None else {"activityTypeIds": list(activity_types)}
    resources = [
        _resource(
            "leads",
            ("id",),
            _Extract(kind_path="leads", filter=lead_filter, fields=lead_fields, **shared),
        ),
        _resource(
            "activities",
            ("marketoGUID",),
            _Extract(
                kind_path="activities",
                filter="createdAt",
                fields=[name for name in ACTIVITY_FIELDS if name != "actionResult"],
                requests=(types,),
                **shared,
            ),
        ),
    ]
    if programs:
        requests = [
            {"programIds": list(programs[first : first + _MOST_PROGRAMS])}
            for first in range(0, len(programs), _MOST_PROGRAMS)
        ]
        members = _Extract(
            kind_path="program/members",
            filter="updatedAt",
            fields=member_fields and ["programId", "leadId", *member_fields],
            requests=requests,
            **shared,
        )
        resources.append(_resource("program_members", ("programId", "leadId"), members))
    for name in custom_objects or ():
        objects = _Extract(kind_path=f"customobjects/{name}", filter="updatedAt", **shared)
        resources.append(_resource(name, ("marketoGUID",), objects))
    return resources


def _resource(name: str, key: Sequence[str], extract: _Extract) -> Any:  # noqa: ANN401 - of dlt
    def records() -> Iterator[pa.RecordBatch]:  # dlt takes no methods
        for batch in extract.batches():
            yield _with_key(batch, key)

    return dlt.resource(records, name=name, primary_key=list(key), write_disposition="merge")


def _with_key(batch: pa.RecordBatch, key: Sequence[str]) -> pa.RecordBatch:
    """Return a batch whose schema says that the columns of the key are never null."""
    fields = [field.with_nullable(field.name not in key) for field in batch.schema]
    return pa.RecordBatch.from_arrays(batch.columns, schema=pa.schema(fields))


source: Any = dlt.source(_source, name="outhaul", section="outhaul")
"""The source. `url`, `client_id` and `client_secret` may come from the configuration of dlt."""
