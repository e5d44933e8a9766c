"""What a mirror knows of its own work, in the database.

A load has a number, which is stored before the load begins, and again in the commit that brings the
records into the lake. So a run that finds a load that was begun can tell from the lake whether it
was committed: it repeats nothing and leaves out nothing.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from outhaul.database.engine import Database, insert
from outhaul.database.schema import (
    mirror,
    mirror_backfill,
    mirror_coverage,
    mirror_job,
    mirror_load,
    mirror_run,
    mirror_snapshot,
)
from outhaul.mirror.coverage import Coverage
from outhaul.mirror.work import Counts, Work
from outhaul.protocol.windows import Window

_REMEMBERED = timedelta(days=400)
"""How long loads and runs are remembered, for the report."""


class OtherEndpointError(ValueError):
    """The data folder has the mirror of another endpoint."""


class NoMirrorError(LookupError):
    """Nothing was mirrored yet."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of the mirrored endpoint."""

    url: str
    since: datetime
    """The first moment that is mirrored."""
    facts: Mapping[str, Any]
    """What the endpoint refuses, and what it has told of itself."""


@dataclass(frozen=True, kw_only=True)
class LeftJob:
    """An export job of which the records are not all loaded."""

    export_id: str
    work: Work
    load: int | None
    """The number of the load that was begun, if one was."""


@dataclass(frozen=True, kw_only=True)
class Backfill:
    """Fields that came later, whose values of the time before are fetched."""

    stream: str
    of: str
    """The stream of the records."""
    fields: tuple[str, ...]
    until: datetime


@dataclass(frozen=True, kw_only=True)
class PastRun:
    """A run of the mirror. `ended_at` and `outcome` are `None` if it was killed, or still runs."""

    begun_at: datetime
    ended_at: datetime | None
    outcome: str | None
    summary: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class PastLoad:
    """The load of one file."""

    number: int
    stream: str
    window: Window | None
    loaded_at: datetime
    counts: Counts


class State:
    """The state of the mirror of one subscription."""

    def __init__(self, database: Database, subscription: str) -> None:
        self._database = database
        self._own = {"subscription": subscription}

    def known(self) -> Known:
        """Return what is known of the endpoint. Raises `NoMirrorError`."""
        with self._database.read() as connection:
            row = connection.execute(self._select(mirror)).first()
        if row is None:
            raise NoMirrorError("nothing was mirrored yet")
        return Known(url=row.url, since=row.since, facts=row.facts)

    def check(self, url: str) -> None:
        """Raise `OtherEndpointError` if this is the mirror of another endpoint."""
        with contextlib.suppress(NoMirrorError):
            _check(self.known().url, url)

    def settle(self, url: str, since: datetime) -> Known:
        """Return what is known of the endpoint, which is stored if it is new.

        An earlier `since` than before is stored too: the time before it is then missing. Raises
        `OtherEndpointError`.
        """
        with self._database.write() as connection:
            row = connection.execute(self._select(mirror).with_for_update()).first()
            if row is None:
                values = {**self._own, "url": url, "since": since, "facts": {}}
                connection.execute(mirror.insert().values(values))
                return Known(url=url, since=since, facts={})
            _check(row.url, url)
            since = min(since, row.since)
            connection.execute(self._update(mirror).values(since=since))
            return Known(url=url, since=since, facts=row.facts)

    def note(self, **facts: Any) -> Mapping[str, Any]:  # noqa: ANN401 - any JSON value
        """Add facts about the endpoint, and return all."""
        with self._database.write() as connection:
            row = connection.execute(self._select(mirror).with_for_update()).one()
            merged = {**row.facts, **facts}
            connection.execute(self._update(mirror).values(facts=merged))
            return merged

    def coverage(self) -> Mapping[str, Coverage]:
        """Return the coverage of each stream that has some."""
        with self._database.read() as connection:
            rows = connection.execute(self._select(mirror_coverage).order_by("begin")).all()
        found: dict[str, list[Window]] = {}
        for row in rows:
            found.setdefault(row.stream, []).append(Window(row.begin, row.end))
        return {stream: Coverage(tuple(windows)) for stream, windows in found.items()}

    def uncover(self, stream: str, window: Window) -> None:
        """Let a window of a stream be missing again: it is to be read once more."""
        with self._changed_coverage(stream) as (before, store):
            store(before.without(window))

    def jobs(self) -> Sequence[LeftJob]:
        """Return the jobs of which the records are not all loaded, the oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(self._select(mirror_job).order_by("created_at")).all()
        return [
            LeftJob(export_id=row.export_id, work=Work.from_json(row.task), load=row.load)
            for row in rows
        ]

    def add_job(self, export_id: str, work: Work, moment: datetime) -> None:
        """Store a job that was created."""
        values = {
            **self._own,
            "export_id": export_id,
            "task": work.to_json(),
            "created_at": moment,
        }
        with self._database.write() as connection:
            statement = insert(connection, mirror_job).values(values).on_conflict_do_nothing()
            connection.execute(statement)

    def forget_job(self, export_id: str) -> None:
        """Forget a job: its window is missing as before."""
        with self._database.write() as connection:
            connection.execute(self._delete(mirror_job, mirror_job.c.export_id == export_id))

    def forget_load(self, export_id: str) -> None:
        """Forget that a load of a job was begun: it was given up."""
        with self._database.write() as connection:
            of_job = self._update(mirror_job).where(mirror_job.c.export_id == export_id)
            connection.execute(of_job.values(load=None))

    def begin_load(self, export_id: str | None = None) -> int:
        """Return the number of a load that begins now: that of a job, if it has one."""
        with self._database.write() as connection:
            connection.execute(self._update(mirror).values(loads=mirror.c.loads + 1))
            number = int(connection.execute(self._select(mirror)).one().loads)
            if export_id is not None:
                of_job = self._update(mirror_job).where(mirror_job.c.export_id == export_id)
                connection.execute(of_job.values(load=number))
            return number

    def finish_load(
        self,
        number: int,
        work: Work,
        counts: Counts,
        moment: datetime,
        *,
        export_id: str | None = None,
    ) -> None:
        """Store that a load is committed: its windows are covered, and its job is forgotten."""
        with self._database.write() as connection:
            window = work.window
            values = {
                **self._own,
                "number": number,
                "stream": ",".join(work.streams),
                "begin": window and window.start,
                "end": window and window.end,
                "loaded_at": moment,
                **asdict(counts),
            }
            connection.execute(insert(connection, mirror_load).values(values))
            if window is not None:
                for stream in work.streams:
                    before = self._coverage_of(connection, stream)
                    self._store_coverage(connection, stream, before.with_(window))
            for each in work.ids:
                self._store_snapshot(connection, work.streams[0], each, counts, moment)
            if export_id is not None:
                connection.execute(self._delete(mirror_job, mirror_job.c.export_id == export_id))

    def cover(self, stream: str, window: Window) -> None:
        """Store that a window of a stream is complete, without a load."""
        with self._changed_coverage(stream) as (before, store):
            store(before.with_(window))

    def snapshots(self, stream: str) -> Mapping[int, datetime]:
        """Return when the members of each list or program were read last, by its id."""
        with self._database.read() as connection:
            statement = self._select(mirror_snapshot).where(mirror_snapshot.c.stream == stream)
            return {row.id: row.read_at for row in connection.execute(statement)}

    def backfills(self) -> Sequence[Backfill]:
        """Return the backfills that are not complete."""
        with self._database.read() as connection:
            rows = connection.execute(self._select(mirror_backfill).order_by("stream")).all()
        return [
            Backfill(stream=row.stream, of=row.of, fields=tuple(row.fields), until=row.until)
            for row in rows
        ]

    def note_fields(
        self, fields: Mapping[str, Sequence[str]], backfills: Sequence[Backfill]
    ) -> None:
        """Store which fields are asked for, by the path of the kind, and the backfills of new ones.

        Both are stored at once, so that no field is left without its past.
        """
        with self._database.write() as connection:
            row = connection.execute(self._select(mirror).with_for_update()).one()
            facts = {**row.facts, "fields": {path: [*names] for path, names in fields.items()}}
            connection.execute(self._update(mirror).values(facts=facts))
            for each in backfills:
                values = {**self._own, **asdict(each), "fields": [*each.fields]}
                connection.execute(
                    insert(connection, mirror_backfill).values(values).on_conflict_do_nothing()
                )

    def end_backfill(self, stream: str) -> None:
        """Forget a backfill that is complete, and its coverage."""
        with self._database.write() as connection:
            connection.execute(self._delete(mirror_backfill, mirror_backfill.c.stream == stream))
            connection.execute(self._delete(mirror_coverage, mirror_coverage.c.stream == stream))

    def begin_run(self, moment: datetime) -> None:
        """Store that a run begins, and forget what is too old for the report."""
        old = moment - _REMEMBERED
        with self._database.write() as connection:
            connection.execute(self._delete(mirror_run, mirror_run.c.begun_at < old))
            connection.execute(self._delete(mirror_load, mirror_load.c.loaded_at < old))
            values = {**self._own, "begun_at": moment, "summary": {}}
            connection.execute(
                insert(connection, mirror_run).values(values).on_conflict_do_nothing()
            )

    def end_run(
        self, begun_at: datetime, moment: datetime, outcome: str, summary: Mapping[str, Any]
    ) -> None:
        """Store how a run has ended."""
        with self._database.write() as connection:
            connection.execute(
                self._update(mirror_run)
                .where(mirror_run.c.begun_at == begun_at)
                .values(ended_at=moment, outcome=outcome, summary=dict(summary))
            )

    def runs(self, most: int) -> Sequence[PastRun]:
        """Return the latest runs, the newest first."""
        statement = self._select(mirror_run).order_by(mirror_run.c.begun_at.desc()).limit(most)
        with self._database.read() as connection:
            return [
                PastRun(
                    begun_at=row.begun_at,
                    ended_at=row.ended_at,
                    outcome=row.outcome,
                    summary=row.summary,
                )
                for row in connection.execute(statement)
            ]

    def loads(self, most: int | None = None) -> Iterator[PastLoad]:
        """Yield the loads that are remembered, or the latest ones: the oldest first."""
        statement = self._select(mirror_load).order_by(mirror_load.c.number.desc()).limit(most)
        with self._database.read() as connection:
            rows = connection.execute(statement).all()[::-1]
        names = Counts.__dataclass_fields__
        for row in rows:
            yield PastLoad(
                number=row.number,
                stream=row.stream,
                window=None if row.begin is None else Window(row.begin, row.end),
                loaded_at=row.loaded_at,
                counts=Counts(**{name: getattr(row, name) for name in names}),
            )

    @contextmanager
    def _changed_coverage(self, stream: str) -> Iterator[tuple[Coverage, Any]]:
        with self._database.write() as connection:
            yield (
                self._coverage_of(connection, stream),
                lambda after: self._store_coverage(connection, stream, after),
            )

    def _coverage_of(self, connection: sa.Connection, stream: str) -> Coverage:
        statement = (
            self._select(mirror_coverage)
            .where(mirror_coverage.c.stream == stream)
            .order_by(mirror_coverage.c.begin)
        )
        return Coverage(tuple(Window(row.begin, row.end) for row in connection.execute(statement)))

    def _store_coverage(self, connection: sa.Connection, stream: str, after: Coverage) -> None:
        connection.execute(self._delete(mirror_coverage, mirror_coverage.c.stream == stream))
        rows = [
            {**self._own, "stream": stream, "begin": window.start, "end": window.end}
            for window in after.windows
        ]
        if rows:
            connection.execute(mirror_coverage.insert(), rows)

    def _store_snapshot(
        self, connection: sa.Connection, stream: str, of: int, counts: Counts, moment: datetime
    ) -> None:
        values = {"read_at": moment, "records": counts.records}
        connection.execute(
            insert(connection, mirror_snapshot)
            .values(**self._own, stream=stream, id=of, **values)
            .on_conflict_do_update(index_elements=["subscription", "stream", "id"], set_=values)
        )

    def _select(self, table: sa.Table) -> sa.Select[Any]:
        return sa.select(table).filter_by(**self._own)

    def _update(self, table: sa.Table) -> sa.Update:
        return table.update().filter_by(**self._own)

    def _delete(self, table: sa.Table, condition: sa.ColumnElement[bool]) -> sa.Delete:
        return table.delete().filter_by(**self._own).where(condition)


def _check(stored: str, url: str) -> None:
    if stored != url:
        raise OtherEndpointError(
            f"the data are a mirror of {stored}; mirror {url} into other data, or into another "
            "subscription"
        )
