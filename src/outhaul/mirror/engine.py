"""One run of the mirror: it reads what is missing of an endpoint, and loads it.

A run fixes its upper bound when it begins. What changes later is read by the next run, which also
reads some overlap again.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from outhaul.catalog.store import Catalog
from outhaul.client import (
    Flight,
    Foresight,
    ProtocolError,
    Quota,
    QuotaSpentError,
    Session,
    Task,
    told_limits,
)
from outhaul.lake.snapshot import Lake
from outhaul.mirror.arrivals import Arrivals
from outhaul.mirror.catalog import refresh
from outhaul.mirror.changes import Changes, What
from outhaul.mirror.coverage import Coverage, day_window
from outhaul.mirror.landings import (
    BY_CREATION,
    BY_LOOK_UP,
    STANDARD_FIELDS,
    Keeper,
    Landings,
)
from outhaul.mirror.members import due_members
from outhaul.mirror.options import Options
from outhaul.mirror.outlook import Outlook, learn
from outhaul.mirror.planning import DAY_SECONDS, Missing, Planner
from outhaul.mirror.requests import Requests, activity_fields
from outhaul.mirror.sources import deleted_leads, first_activity, lead_changes, leads_by_id
from outhaul.mirror.state import Backfill, State
from outhaul.mirror.stored import stored_records
from outhaul.mirror.streams import (
    ACTIVITIES,
    ACTIVITY_PATH,
    DELETIONS,
    LEAD_CHANGES,
    LEAD_PATH,
    MEMBER_PATH,
    NEW_LEADS,
    Stream,
    activity_stream,
    backfill_name,
    lead_stream,
    object_stream,
)
from outhaul.mirror.watch import MirrorWatch, Summary
from outhaul.mirror.work import Work
from outhaul.protocol.answers.stored import StoredRecords
from outhaul.protocol.windows import Window

_SECOND = timedelta(seconds=1)
_LEARNT_FROM = 200
"""The latest loads tell how large exports are."""
_QUOTA_SHARE = 4
"""A window takes a fourth of the day's quota at most, as far as can be foreseen."""


@dataclass(frozen=True, kw_only=True)
class Mirror:
    """The mirror of one endpoint in one lake.

    `clock` gives the time of the lake, at which records are loaded. Windows are by the endpoint's
    own clock.
    """

    session: Session
    lake: Lake
    catalog: Catalog
    state: State
    options: Options
    watch: MirrorWatch
    clock: Callable[[], datetime]

    def run(self) -> Summary:
        """Bring the lake in step with the endpoint, and return what was done.

        Raises `ClientError` if the endpoint as a whole cannot be used, and `OtherEndpointError`.
        """
        summary = Summary()
        begun = self.clock()
        self.state.check(self.session.url)
        self.state.begin_run(begun)
        try:
            _Run(self, summary).run()
        except BaseException as error:
            summary.outcome = "errors" if isinstance(error, Exception) else "stopped"
            summary.errors.append(str(error) or type(error).__name__)
            raise
        finally:
            # What ended the run matters more than a failure here.
            with contextlib.suppress(Exception):
                self.state.end_run(begun, self.clock(), summary.outcome, summary.to_json())
        return summary


class _Run:
    """What is known during one run."""

    def __init__(self, mirror: Mirror, summary: Summary) -> None:
        self._mirror = mirror
        self._session = mirror.session
        self._state = mirror.state
        self._options = mirror.options
        self._summary = summary
        self._foresight = Foresight()
        folder = mirror.lake.folder / "mirror"
        self._landings = Landings(
            mirror.session,
            Arrivals(mirror.lake, mirror.catalog, folder),
            mirror.state,
            folder,
            mirror.watch,
            summary,
            mirror.clock,
        )

    def run(self) -> None:
        self._told = told_limits(self._session)
        # Only now: an address that is wrong must not become that of the mirror.
        self._state.settle(self._session.url, self._options.since)
        self._session.pace(self._told.calls_in_20_seconds)
        if not self._told.updated_at_filter:
            self._state.note(**BY_CREATION)
        if not self._told.delete_lead_type:
            self._state.note(**BY_LOOK_UP)
        now = self._session.endpoint_time() or self._mirror.clock()
        bound = now.astimezone(UTC).replace(microsecond=0) - _SECOND
        self._whole = Window(min(self._state.known().since, bound), bound)
        self._read_catalog()
        self._quota = Quota(
            self._session,
            [LEAD_PATH, ACTIVITY_PATH, MEMBER_PATH, *(each.kind_path for each in self._objects())],
            self._daily_bytes(),
            self._mirror.clock,
        )
        learn(self._foresight, self._state.loads(_LEARNT_FROM))
        self._outlook = Outlook(self._quota, self._foresight)
        # What an earlier run has left comes first: its records are older than what is read now.
        self._landings.tidy(self._state.jobs())
        left = [job for job in self._state.jobs() if not self._landings.settle(job)]
        requests = self._requests()
        try:
            self._fly(requests.task(job.work, job.export_id) for job in left)
            self._uncover()
            self._learn_of_the_past()
            while True:
                self._landings.must_plan = False
                requests, plan = self._requests(), self._plan()
                self._fly(
                    (
                        requests.task(work)
                        for work in plan
                        if not self._landings.refused.intersection(work.streams)
                    ),
                    plan,
                )
                if not self._landings.must_plan:
                    break
        except QuotaSpentError as spent:
            self._summary.outcome = "quota"
            self._summary.until = spent.until.isoformat()
        self._look_up()
        self._end_backfills()
        if self._summary.errors:
            self._summary.outcome = "errors"

    # What is read

    def _read_catalog(self) -> None:
        self._mirror.watch.phase("reading the catalog")
        facts = self._state.known().facts
        self._changes = changes = refresh(
            self._session, self._mirror.catalog, self._mirror.lake, facts.get("told", ())
        )
        if "fields" not in facts:
            # Everything is new in the first run: that is no news.
            found = tuple(each for each in changes.found if each.what is not What.NEW)
            changes = replace(changes, found=found)
        for line in changes.notices:
            self._notice(line)
        self._state.note(told=[*changes.lasting])
        self._look_for_new_fields(changes)

    def _look_for_new_fields(self, changes: Changes) -> None:
        """Plan to read the past of new fields, as far as the other fields have been read.

        What counts is which fields the mirror has asked for. The catalog can have a field already,
        because an earlier run was killed before this step.
        """
        covered, asked = self._state.coverage(), self._state.known().facts.get("fields", {})
        number = int(self._mirror.clock().timestamp())
        backfills = []
        for stream in self._record_streams():
            before, coverage = asked.get(stream.kind_path), covered.get(stream.name)
            names = [
                name
                for name in changes.fields.get(stream.kind_path, ())
                if before is not None and name not in before
            ]
            if names and coverage is not None and coverage.end is not None:
                backfills.append(
                    Backfill(
                        stream=backfill_name(stream.name, number),
                        of=stream.name,
                        fields=tuple(names),
                        until=coverage.end,
                    )
                )
                self._notice(f"{stream.name}: the past of new fields is read: {', '.join(names)}")
        fields = {path: [*names] for path, names in changes.fields.items()}
        self._state.note_fields({**asked, **fields}, backfills)

    def _objects(self) -> list[Stream]:
        """Return the streams of the types that the endpoint has."""
        streams = map(object_stream, self._mirror.catalog.custom_object_types())
        return [each for each in streams if each.kind_path in self._changes.fields]

    def _record_streams(self) -> list[Stream]:
        by_updates = "leads" not in self._state.known().facts
        return [lead_stream(by_updates=by_updates), *self._objects()]

    def _uncover(self) -> None:
        """Let the overlap be read again, and what the user wants to be read again."""
        overlap = self._options.overlap
        for stream, coverage in self._state.coverage().items():
            if coverage.end is not None and overlap >= _SECOND:
                self._state.uncover(stream, Window(coverage.end - overlap + _SECOND, coverage.end))
            if self._options.again is not None:
                self._state.uncover(stream, self._options.again.until(self._whole.end))

    def _learn_of_the_past(self) -> None:
        """Find out what need not be read, because the endpoint has nothing there."""
        stored = stored_records(self._session)
        if stored:
            self._learn_what_is_stored(stored)
        elif "firstActivity" not in self._state.known().facts:
            self._look_for_the_first_activity()

    def _learn_what_is_stored(self, stored: Mapping[str, StoredRecords]) -> None:
        """Read days again whose activities were stored since the last run; skip empty times."""
        streams = self._record_streams()
        for stream in (*streams, *map(activity_stream, ACTIVITIES)):
            told = stored.get(stream.kind_path)
            # Of leads by their creation nothing is known: the first moment is that of a change.
            if told is not None and stream.name != NEW_LEADS:
                self._skip_until(stream.name, told.first if told.records else self._whole.end)
        activities = stored.get(ACTIVITY_PATH)
        days = [] if activities is None else activities.days or []
        if not days:
            return
        seen = self._state.known().facts.get("storedAt")
        if seen is not None:
            for day in days:
                if day.stored_at >= datetime.fromisoformat(seen):
                    self._read_again(day_window(date.fromisoformat(day.day)))
        self._state.note(storedAt=self._settled(day.stored_at for day in days).isoformat())

    def _settled(self, moments: Iterable[datetime]) -> datetime:
        """Return the moment from which on a day counts as stored later than this look.

        It is by the clock of the endpoint's files. A moment is told in whole seconds, so that a day
        that was stored in the very second of this look could be stored once more in it.
        """
        last = max(moments)
        is_now = abs(last - self._quota.moment()) <= 2 * _SECOND
        return last if is_now else last + _SECOND

    def _read_again(self, day: Window) -> None:
        for stream in ACTIVITIES:
            self._state.uncover(stream, day)

    def _skip_until(self, stream: str, first: datetime | None) -> None:
        if first is None or first - _SECOND <= self._whole.start:
            return
        end = min(first.replace(microsecond=0) - _SECOND, self._whole.end)
        self._state.cover(stream, Window(self._whole.start, end))

    def _look_for_the_first_activity(self) -> None:
        self._mirror.watch.phase("looking for the first activity")
        types = [*self._mirror.catalog.activity_types()]
        try:
            first = first_activity(self._session, types, self._whole.start)
        except ProtocolError as error:
            self._notice(f"the first activity was not looked for: {error}")
            return
        for stream in ACTIVITIES:
            self._skip_until(stream, first)
        self._state.note(firstActivity=None if first is None else first.isoformat())

    def _requests(self) -> Requests:
        of = {each.name: each for each in self._record_streams()}
        facts = self._state.known().facts
        return Requests(
            streams={**of, **{name: activity_stream(name) for name in ACTIVITIES}},
            backfills={each.stream: each for each in self._state.backfills()},
            fields={
                **self._changes.fields,
                ACTIVITY_PATH: activity_fields(standard=STANDARD_FIELDS.keys() <= facts.keys()),
            },
            headers=self._changes.headers,
            activity_types=sorted(self._mirror.catalog.activity_types()),
            takes_deletions="deletions" not in facts,
        )

    def _plan(self) -> Planner:
        covered = dict(self._state.coverage())
        if "deletions" in self._state.known().facts:
            covered[DELETIONS] = Coverage((self._whole,))
        streams = {each.name: each for each in self._record_streams()}
        quota = self._quota.daily_bytes
        members = due_members(
            self._mirror.catalog,
            self._changes,
            self._mirror.lake,
            self._state,
            self._mirror.clock(),
            self._options.snapshots_every,
        )
        return Planner(
            [*self._missing(streams, covered), *self._missing_of_backfills(streams, covered)],
            members,
            covered,
            self._whole,
            longest_days=self._options.window_days or self._told.date_range_days or 31,
            most_bytes=None if quota is None else quota / _QUOTA_SHARE,
            rate=self._rate,
        )

    def _missing(
        self, streams: Mapping[str, Stream], covered: Mapping[str, Coverage]
    ) -> Iterable[Missing]:
        for name, stream in streams.items():
            windows = covered.get(name, Coverage()).missing(self._whole)
            yield Missing(stream=stream, windows=windows)

    def _missing_of_backfills(
        self, streams: Mapping[str, Stream], covered: Mapping[str, Coverage]
    ) -> Iterable[Missing]:
        for each in self._state.backfills():
            if each.of not in streams or self._whole.start > each.until:
                continue
            windows = covered.get(each.stream, Coverage()).missing(
                Window(self._whole.start, each.until)
            )
            stream = replace(streams[each.of], name=each.stream)
            yield Missing(stream=stream, windows=windows, is_backfill=True)

    def _rate(self, family: str) -> float | None:
        day = Task(kind_path="", request={}, name="", family=family, span=float(DAY_SECONDS))
        size = self._foresight.size(day)
        return None if size is None else size.bytes / DAY_SECONDS

    # How it is read

    def _daily_bytes(self) -> int | None:
        options = self._options
        return self._told.daily_bytes if options.is_quota_told else options.daily_bytes

    def _fly(self, tasks: Iterable[Task], plan: Planner | None = None) -> None:
        mirror, outlook = self._mirror, self._outlook
        with Flight(
            self._session,
            foresight=self._foresight,
            quota=self._quota,
            at_once=self._options.at_once,
            pace=self._options.pace,
            watch=Keeper(
                self._state,
                mirror.watch,
                self._summary,
                mirror.clock,
                lambda flown: flown if plan is None else outlook.of(flown, plan),
            ),
            wait=self._options.wait,
        ) as flight:
            for landed in flight.landed(tasks):
                self._landings.take(landed)
                outlook.landed()

    def _look_up(self) -> None:
        """Read what the endpoint has as look-ups only."""
        facts = self._state.known().facts
        covered = self._state.coverage()
        if "deletions" in facts:
            self._mirror.watch.phase("looking up deleted leads")
            for window in covered.get(DELETIONS, Coverage()).missing(self._whole):
                work = Work(kind_path=ACTIVITY_PATH, streams=(DELETIONS,), window=window)
                self._landings.look_up(work, deleted_leads(self._session, window.start, window.end))
        if "leads" in facts:
            self._mirror.watch.phase("looking up changed leads")
            self._look_up_changes(covered)

    def _look_up_changes(self, covered: Mapping[str, Coverage]) -> None:
        """Read the leads that were changed since their window was read.

        A lead is as it was when the job of its window was processed. So changes count from the
        first run on.
        """
        if LEAD_CHANGES not in covered:
            self._state.cover(LEAD_CHANGES, self._whole)
            return
        names = self._changes.fields[LEAD_PATH]
        for window in covered[LEAD_CHANGES].missing(self._whole):
            ids = {
                change["leadId"]
                for change in lead_changes(self._session, names, window.start, window.end)
            }
            work = Work(kind_path=LEAD_PATH, streams=(LEAD_CHANGES,), window=window)
            self._landings.look_up(work, leads_by_id(self._session, sorted(ids), names))

    def _end_backfills(self) -> None:
        covered = self._state.coverage()
        for each in self._state.backfills():
            if self._whole.start > each.until or covered.get(each.stream, Coverage()).covers(
                Window(self._whole.start, each.until)
            ):
                self._state.end_backfill(each.stream)

    def _notice(self, line: str) -> None:
        self._summary.notices.append(line)
        self._mirror.watch.notice(line)
