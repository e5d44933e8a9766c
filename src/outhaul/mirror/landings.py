"""What becomes of the jobs of a run: their files are fetched and loaded, and errors are sorted."""

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from outhaul.client import (
    ClientError,
    Ending,
    Fate,
    FileMissingError,
    Forecast,
    Job,
    Landed,
    ProtocolError,
    Session,
    Task,
    Watch,
    download,
)
from outhaul.mirror.arrivals import Arrivals
from outhaul.mirror.state import LeftJob, State
from outhaul.mirror.streams import ACTIVITY_PATH, DELETIONS, LEADS
from outhaul.mirror.watch import MirrorWatch, Summary
from outhaul.mirror.work import Counts, Work
from outhaul.records.readers import FileError

BY_CREATION = {"leads": "createdAt"}
"""The fact that the endpoint refuses the filter `updatedAt` of leads."""

BY_LOOK_UP = {"deletions": "look-up"}
"""The fact that the endpoint does not export the activities that delete a lead."""

STANDARD_FIELDS = {"activityFields": "standard"}
"""The fact that the endpoint has no further fields of activities."""

_NO_FILTER, _INVALID, _NO_FIELD, _DENIED = "1035", "1003", "1006", "603"


class Landings:
    """Takes what has landed, and stores what was learnt."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a landing is about
        self,
        session: Session,
        arrivals: Arrivals,
        state: State,
        folder: Path,
        watch: MirrorWatch,
        summary: Summary,
        clock: Callable[[], datetime],
    ) -> None:
        self._session = session
        self._arrivals = arrivals
        self._state = state
        self._folder = folder
        self._watch = watch
        self._summary = summary
        self._clock = clock
        self.refused: set[str] = set()
        """The streams that the endpoint refuses in this run."""
        self.must_plan = False
        """Whether the plan is outdated, because a fact about the endpoint was learnt."""

    def settle(self, job: LeftJob) -> bool:
        """Return whether the load of a job that an earlier run left is committed.

        Then it is stored as finished. Otherwise the job is to be taken up.
        """
        if job.load is None or not self._arrivals.is_committed(job.work, job.load):
            return False
        self._finish(job.work, Counts(), job.load, job.export_id)
        return True

    def tidy(self, jobs: Iterable[LeftJob]) -> None:
        """Remove what earlier runs have fetched of jobs that are no longer known."""
        known = {job.export_id for job in jobs}
        for path in self._folder.glob("*.csv*"):
            if path.name.partition(".")[0] not in known:
                path.unlink(missing_ok=True)

    def take(self, landed: Landed) -> None:
        """Load the file of a job, or note why there is none. Raises `ClientError`."""
        work: Work = landed.task.key
        self._summary.jobs += 1
        job = landed.job
        if landed.error is not None:
            if job is not None:
                self._state.forget_job(job.export_id)
            self._note_error(work, landed.error)
            return
        assert job is not None  # noqa: S101 - a job without an error
        path = self._folder / f"{job.export_id}.csv"
        try:
            if job.records != 0:
                self._fetch(landed, job, path)
            self._load(work, job, path if job.records != 0 else None)
        except FileMissingError as error:
            # It was left too long ago: its window is read again by a new job.
            self._state.forget_job(job.export_id)
            self._notice(f"{landed.task.name}: {error}; a new job is made for it")
            self.must_plan = True
        except FileError as error:
            # The next load may be committed under a later number, and must not stand for this one.
            self._state.forget_load(job.export_id)
            self._error(work, error)
        finally:
            path.unlink(missing_ok=True)

    def look_up(self, work: Work, records: Any) -> None:  # noqa: ANN401 - an iterable of records
        """Load records of look-ups. Raises `ClientError`."""
        number = self._state.begin_load()
        report = self._report(work)
        counts = self._arrivals.load_records(work, records, number, self._clock(), report)
        self._finish(work, counts, number)

    def _fetch(self, landed: Landed, job: Job, path: Path) -> None:
        work: Work = landed.task.key
        self._folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            download(
                self._session,
                landed.path,
                job,
                path,
                lambda received: self._watch.arriving(work, job, received),
            )

    def _load(self, work: Work, job: Job, path: Path | None) -> None:
        number = self._state.begin_load(job.export_id)
        counts = self._arrivals.load(work, path, number, self._clock(), self._report(work))
        told = Counts(announced=job.records, bytes=job.file_size).plus(counts)
        self._finish(work, told, number, job.export_id)

    def _finish(
        self, work: Work, counts: Counts, number: int, export_id: str | None = None
    ) -> None:
        self._state.finish_load(number, work, counts, self._clock(), export_id=export_id)
        self._summary.add(work, counts)
        self._watch.loaded(work, counts)

    def _report(self, work: Work) -> Callable[[float], None]:
        return lambda share: self._watch.loading(work, share)

    def _note_error(self, work: Work, error: ClientError) -> None:
        """Note a refusal. Some say what the endpoint does not offer, and change the plan."""
        code = error.code if isinstance(error, ProtocolError) else None
        if code == _NO_FILTER and work.streams[0].startswith(LEADS):
            self._learn("the endpoint has no filter updatedAt for leads", **BY_CREATION)
        elif code == _INVALID and work.kind_path == ACTIVITY_PATH and DELETIONS in work.streams:
            self._learn("the endpoint does not export deletions of leads", **BY_LOOK_UP)
        elif code == _NO_FIELD and work.kind_path == ACTIVITY_PATH and self._has_further_fields():
            self._learn(
                "the endpoint has the standard fields of activities only", **STANDARD_FIELDS
            )
        else:
            if self.refused.issuperset(work.streams):
                return  # it was told already
            if isinstance(error, ProtocolError) and (code == _DENIED or not work.ids):
                # The next window of the stream would be refused too.
                self.refused.update(work.streams)
            self._error(work, error)

    def _has_further_fields(self) -> bool:
        return not STANDARD_FIELDS.keys() <= self._state.known().facts.keys()

    def _learn(self, line: str, **facts: str) -> None:
        if any(self._state.known().facts.get(name) != value for name, value in facts.items()):
            self._state.note(**facts)
            self._notice(line)
        self.must_plan = True

    def _error(self, work: Work, error: Exception) -> None:
        self._summary.errors.append(f"{work.name}: {error}")
        self._notice(f"{work.name}: {error}")

    def _notice(self, line: str) -> None:
        self._summary.notices.append(line)
        self._watch.notice(line)


class Keeper(Watch):
    """Stores the jobs of a flight as they are created and end, and passes all on to a watch."""

    def __init__(
        self,
        state: State,
        watch: MirrorWatch,
        summary: Summary,
        clock: Callable[[], datetime],
        foresee: Callable[[Forecast], Forecast],
    ) -> None:
        self._state = state
        self._watch = watch
        self._summary = summary
        self._clock = clock
        self._foresee = foresee

    def created(self, task: Task, job: Job) -> None:
        """Store the job before it is in the queue."""
        self._state.add_job(job.export_id, task.key, self._clock())
        self._watch.created(task, job)

    def seen(self, task: Task, job: Job) -> None:
        """Pass it on."""
        self._watch.seen(task, job)

    def ended(self, task: Task, ending: Ending) -> None:
        """Forget a job that was cancelled. Others are taken up by the next run."""
        if ending.fate in (Fate.CANCELLED, Fate.ENDED):
            self._state.forget_job(ending.export_id)
        else:
            self._summary.left.append(f"{ending.text}; the next run takes it up")
        self._watch.ended(task, ending)

    def waiting(self, until: datetime, why: str) -> None:
        """Pass it on."""
        self._watch.waiting(until, why)

    def planned(self, forecast: Forecast) -> None:
        """Keep when everything will be there."""
        whole = self._foresee(forecast)
        done = whole.done_at
        self._summary.all_there = None if done is None else done.isoformat()
        self._watch.planned(whole)
