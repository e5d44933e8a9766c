"""Extracts of any length: a period becomes windows, each window a job, each job a file.

for file in extract_files(session, "activities", {}, period="2023-01-01/2026-01-01"):
    print(file.window, file.job.records, file.path)
"""

import hashlib
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from outhaul.client.arrived import Checked
from outhaul.client.download import download_into
from outhaul.client.endings import Ending, Fate
from outhaul.client.errors import (
    ChecksumError,
    ClientError,
    DownloadError,
    FileMissingError,
    ProtocolError,
    WindowsFailedError,
)
from outhaul.client.extracted import Extracted, ExtractedFile
from outhaul.client.flight import Flight
from outhaul.client.forecast import Forecast
from outhaul.client.jobs import Job
from outhaul.client.joining import Joined, join
from outhaul.client.journal import Journal
from outhaul.client.layout import Layout
from outhaul.client.outputs import open_output
from outhaul.client.quota import Quota
from outhaul.client.session import Session
from outhaul.client.sinks import Sink
from outhaul.client.tasks import Landed, Task
from outhaul.client.told import Told, told_limits
from outhaul.client.wanted import Means, Wanted
from outhaul.client.watch import Watch
from outhaul.protocol.states import State
from outhaul.protocol.windows import Period, Window, split

_KINDS = ("leads", "activities", "program/members")
_MOST_JOBS = 10
_PIECE = 1 << 20
_MISSING_ATTEMPTS = 3


def extract_files(  # noqa: PLR0913 - each says what is wanted, or how
    session: Session,
    kind_path: str,
    request: Mapping[str, Any],
    *,
    period: Period | str | None = None,
    by: str = "createdAt",
    folder: Path | None = None,
    window_days: int | None = None,
    newest_first: bool = False,
    means: Means | None = None,
) -> Generator[ExtractedFile, None, None]:
    """Yield the files of all windows, from the oldest on, or from the newest on.

    A file is yielded when it and those before it are there. The files are in `folder`, and stay. A
    run that breaks off can be gone on with: the same call uses its files and its jobs. Without a
    folder, a temporary one is used, and removed when the iterator ends.

    Raises `QuotaSpentError` if the day's quota is spent and `means` do not say to wait,
    `WindowsFailedError` at the end if windows have no file, other `ClientError`s, and `OSError`.
    """
    wanted = Wanted(
        kind_path=kind_path,
        request=request,
        period=Period.of(period) if isinstance(period, str) else period,
        by=by,
        window_days=window_days,
        newest_first=newest_first,
    )
    if folder is not None:
        with Extract(session, wanted, folder, means=means) as extract:
            yield from extract.files()
            extract.finish(remove_files=False)
        return
    with (
        tempfile.TemporaryDirectory(prefix="outhaul-") as temporary,
        Extract(session, wanted, Path(temporary), means=means) as extract,
    ):
        yield from extract.files()


class Extract:
    """One extract, whose files and journal are in a folder that it owns while it is entered.

    `path_of` says where the file of a window goes; by default it goes to the folder. `name` is what
    messages call the output.
    """

    def __init__(  # noqa: PLR0913 - what an extract is about
        self,
        session: Session,
        wanted: Wanted,
        folder: Path,
        *,
        path_of: Callable[[Window | None], Path] | None = None,
        means: Means | None = None,
        name: str = "",
    ) -> None:
        self.layout = Layout.of(wanted.kind_path, wanted.request)
        self._session = session
        self._wanted = wanted
        self._folder = folder
        self._path_of = path_of or self._in_folder
        self._means = means or Means()
        self._name = name or str(folder)
        self._told: Told | None = None
        self._ready: dict[int, ExtractedFile] = {}
        self._failed: dict[int, ClientError] = {}
        self._journal: Journal

    def __enter__(self) -> Self:
        wanted = self._wanted
        asked = {
            "endpoint": self._session.url,
            "kind": wanted.kind_path,
            "request": dict(self.layout.request),
            "by": wanted.by if wanted.period else None,
            "period": str(wanted.period) if wanted.period else None,
            "windowDays": wanted.window_days,
        }
        self._journal = Journal.open(self._folder, asked, self._windows, self._name)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the folder."""
        self._journal.close()

    @property
    def windows(self) -> Sequence[Window | None]:
        """All windows, from the oldest on."""
        return self._journal.windows

    def files(self) -> Iterator[ExtractedFile]:
        """Yield the files of all windows in the order that is wanted.

        Raises what `extract_files` does.
        """
        order = list(range(len(self.windows)))
        if self._wanted.newest_first:
            order.reverse()
        for number in order:
            if (file := self._earlier(number)) is not None:
                self._ready[number] = file
        self._means.watch.begun(self.windows, list(self._ready.values()))
        turn = iter(order)
        current = next(turn, None)
        for _ in self._landed([number for number in order if number not in self._ready]):
            while current in self._ready:
                yield self._ready[current]
                current = next(turn, None)
        if self._failed:
            raise WindowsFailedError(
                {self._task_name(number): error for number, error in self._failed.items()},
                len(order),
            )

    def join(self, sink: Sink) -> Extracted:
        """Bring all files, join them into an output, and remove them.

        Raises what `extract_files` does, and `JoinError`.
        """
        for _ in self.files():
            pass
        files = [self._ready[number] for number in range(len(self.windows))]
        self._means.watch.joining()
        paths = [file.path for file in files]
        # The bytes of an earlier attempt are never those of this one.
        sink.begin(Job(export_id="joined", status=State.COMPLETED, format=""))
        try:
            if sink.arrived.size:
                sink.rewind()
            joined = join(paths, self.layout, self._folder, sink.append)
        except BaseException:
            sink.discard()
            raise
        found = Extracted(
            files=files,
            size=joined.size,
            sha256=sink.arrived.sha256,
            records=_records(files, joined),
            repeated=joined.repeated,
        )
        sink.finish()
        self.finish(remove_files=True)
        return found

    def finish(self, *, remove_files: bool) -> None:
        """Remove the journal, because all is done, and the files of the windows if need be."""
        paths = [file.path for file in self._ready.values()]
        self._journal.remove(paths if remove_files else ())

    # Windows and tasks

    def _windows(self) -> Sequence[Window | None]:
        wanted = self._wanted
        if wanted.period is None:
            return [None]
        days = wanted.window_days or self._limits().date_range_days or 31
        now = self._session.endpoint_time() or datetime.now(UTC)
        return split(wanted.period.until(now), timedelta(days=days))

    def _limits(self) -> Told:
        if self._told is None:
            self._told = told_limits(self._session)
            self._session.pace(self._told.calls_in_20_seconds)
        return self._told

    def _in_folder(self, window: Window | None) -> Path:
        name = "all" if window is None else window.name
        return self._folder / f"{name}.{self.layout.file_format.lower()}"

    def _task_name(self, number: int) -> str:
        window = self.windows[number]
        return f"{self._wanted.kind_path} {window}" if window else self._wanted.kind_path

    def _task(self, number: int) -> Task:
        window, request = self.windows[number], dict(self.layout.request)
        if window is not None:
            filters = {**(request.get("filter") or {}), self._wanted.by: window.as_filter()}
            request["filter"] = filters
        return Task(
            kind_path=self._wanted.kind_path,
            request=request,
            name=self._task_name(number),
            family=self._wanted.kind_path,
            span=1.0 if window is None else float(window.seconds),
            export_id=self._journal[number].export_id,
            key=number,
        )

    def _earlier(self, number: int) -> ExtractedFile | None:
        """Return the file that an earlier run has brought, if it is there and unchanged."""
        entry, window = self._journal[number], self.windows[number]
        path = self._path_of(window)
        if entry.job is None or entry.checked is None or _sha256(path) != entry.checked.sha256:
            return None
        return ExtractedFile(
            window=window, job=entry.job, path=path, checked=entry.checked, is_new=False
        )

    # Jobs and files

    def _landed(self, numbers: Sequence[int]) -> Iterator[None]:
        """Bring the files of windows. Yields before the first, and after each."""
        yield
        if not numbers:
            return
        tasks = [self._task(number) for number in numbers]
        told, means = self._limits(), self._means
        daily = told.daily_bytes if means.daily_bytes == "told" else means.daily_bytes
        kinds = list(dict.fromkeys([self._wanted.kind_path, *_KINDS]))
        with Flight(
            self._session,
            quota=Quota(self._session, kinds, daily),
            at_once=min(filter(None, (means.at_once, told.queued_jobs)), default=_MOST_JOBS),
            pace=means.pace,
            watch=_Noting(means.watch, self._journal),
            wait=means.wait,
        ) as flight:
            while tasks:
                again: list[Task] = []
                for landed in flight.landed(tasks):
                    if (task := self._take(landed)) is not None:
                        again.append(task)
                    yield
                tasks = again

    def _take(self, landed: Landed) -> Task | None:
        """Fetch the file of a job. Return a task in place of one whose earlier job is of no use."""
        task, error = landed.task, landed.error
        number = task.key
        was_taken_up = task.export_id is not None
        if error is None and landed.job is not None:
            try:
                self._fetch(landed, landed.job, is_old=was_taken_up)
            except (FileMissingError, ChecksumError) as problem:
                error = problem
            except DownloadError as problem:
                self._fail(task, problem)
                return None
            else:
                return None
        assert error is not None  # noqa: S101 - a task without a job has an error
        self._journal.note_job(number, None)
        if was_taken_up:
            return self._task(number)
        if landed.job is None and isinstance(error, ProtocolError):
            # The requests of all windows are alike: the others would be refused too.
            raise error
        self._fail(task, error)
        return None

    def _fail(self, task: Task, error: ClientError) -> None:
        self._failed[task.key] = error
        self._means.watch.failed(task, error)

    def _fetch(self, landed: Landed, job: Job, *, is_old: bool) -> None:
        task, watch = landed.task, self._means.watch
        window = self.windows[task.key]
        path = self._path_of(window)
        watch.fetching(task, job, 0)
        is_quick = is_old or job.records == 0
        with open_output(path) as sink:
            try:
                checked = download_into(
                    self._session,
                    landed.path,
                    job,
                    sink,
                    lambda received: watch.fetching(task, job, received),
                    missing_attempts=_MISSING_ATTEMPTS if is_quick else None,
                    parallel=self._means.parallel,
                )
            except FileMissingError:
                if job.records != 0 or is_old:
                    raise
                # Some endpoints make no file for a job without records.
                sink.begin(job)
                checked = Checked(
                    size=0,
                    sha256=sink.arrived.sha256,
                    records=0,
                    by_checksum=False,
                    by_size=False,
                    by_records=True,
                )
                sink.finish()
        self._journal.note_file(task.key, job, checked)
        file = ExtractedFile(window=window, job=job, path=path, checked=checked)
        self._ready[task.key] = file
        watch.arrived(file)


class _Noting(Watch):
    """Notes jobs in the journal, and passes on what it is told."""

    def __init__(self, watch: Watch, journal: Journal) -> None:
        self._watch = watch
        self._journal = journal

    def created(self, task: Task, job: Job) -> None:
        self._journal.note_job(task.key, job.export_id)
        self._watch.created(task, job)

    def seen(self, task: Task, job: Job) -> None:
        self._watch.seen(task, job)

    def ended(self, task: Task, ending: Ending) -> None:
        if ending.fate in (Fate.CANCELLED, Fate.ENDED):
            self._journal.note_job(task.key, None)
        self._watch.ended(task, ending)

    def waiting(self, until: datetime, why: str) -> None:
        self._watch.waiting(until, why)

    def planned(self, forecast: Forecast) -> None:
        self._watch.planned(forecast)


def _sha256(path: Path) -> str | None:
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                found.update(piece)
    except OSError:
        return None
    return found.hexdigest()


def _records(files: Sequence[ExtractedFile], joined: Joined) -> int | None:
    if joined.records is not None:
        return joined.records
    counts = [file.checked.records for file in files]
    return None if None in counts else sum(count or 0 for count in counts)
