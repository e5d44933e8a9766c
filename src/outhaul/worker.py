"""The worker: it claims export jobs, holds them by leases, runs them and publishes their files."""

import itertools
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial

import structlog
from polars.exceptions import PanicException
from sqlalchemy.exc import SQLAlchemyError

from outhaul.accounts.clocks import clock_of
from outhaul.accounts.limits import limits_of
from outhaul.catalog.store import Catalog
from outhaul.clock import now
from outhaul.database.engine import Database, is_unavailable, reason
from outhaul.database.wakeups import Wakeups
from outhaul.export.assemble import PartLostError, assemble
from outhaul.export.executor import StoppedError
from outhaul.export.opening import open_executor
from outhaul.export.plan import Plan, make_plan
from outhaul.janitor import Janitor
from outhaul.jobs.job import Job
from outhaul.jobs.pace import AT_ONCE, FailedByOrderError, Pace
from outhaul.jobs.queue import MAX_ATTEMPTS, LeaseLostError, Queue
from outhaul.kinds import find_kind
from outhaul.kinds.filter import Context
from outhaul.lake.failures import in_a_line
from outhaul.lake.snapshot import open_lake
from outhaul.protocol.states import State
from outhaul.settings import Settings
from outhaul.storage.opening import open_files
from outhaul.storage.store import FilesError

LOOK_SECONDS = 0.25
"""Interval at which a worker checks for signals, and that it still has the lease of a job.

It is short enough for a cancelled job to stop within a second.
"""

UNAVAILABLE_SECONDS = 1.0
"""Interval between attempts to reach a database that is unavailable."""

log = structlog.get_logger()


class Worker:
    """Runs export jobs in threads of this process, until it is stopped."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], datetime] = now,
        timer: Callable[[], float] = time.monotonic,
        name: str | None = None,
        pace: Pace = AT_ONCE,
    ) -> None:
        # An absolute path, because nodes that render have another working directory.
        settings = settings.model_copy(
            update={"data": None if settings.data is None else settings.data.absolute()}
        )
        self._settings = settings
        self._clock = clock
        self._timer = timer
        self._name = name or str(uuid.uuid4())
        self._pace = pace
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._numbers = itertools.count()
        self._database = Database(settings.database_url)
        self._files = open_files(settings)
        self._executor = open_executor(settings, self._files)
        self._wakeups = Wakeups(self._database)
        # The interval at which each thread looks for a job that nothing announces.
        self._look_seconds = (
            settings.listen_seconds if self._database.is_postgresql else settings.poll_seconds
        )

    def run(self) -> None:
        """Work until `stop` is called. Jobs that are not completed then go back to the queue."""
        self._wakeups.start()
        for _ in range(max(1, self._settings.workers)):
            self._start_thread()
        janitor = Janitor(self._settings, self._database, self._files, self._clock)
        tidying = threading.Thread(target=janitor.run, args=(self._stop,), name="janitor")
        tidying.start()
        while alive := [thread for thread in (*self._threads, tidying) if thread.is_alive()]:
            # The system may deliver a signal to any thread, but its handler runs in this one, and
            # only when it wakes up.
            alive[0].join(LOOK_SECONDS)
        self.close()

    def close(self) -> None:
        """Close connections and stores. Call it only while the worker does not run."""
        self._wakeups.close()
        self._executor.close()
        self._files.close()
        self._database.close()

    def stop(self) -> None:
        """Make `run` return soon. Safe to call from a signal handler that runs only once."""
        self._stop.set()
        self._wakeups.end()

    def wake(self) -> None:
        """Look for a job now: one was queued in this process, or may now start."""
        self._wakeups.wake()

    def _start_thread(self) -> None:
        """Start another thread that runs jobs."""
        number = next(self._numbers)
        thread = threading.Thread(
            target=self._work, args=(f"{self._name}/{number}",), name=f"job-{number}"
        )
        self._threads = [each for each in self._threads if each.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _work(self, name: str) -> None:
        queue = Queue(self._database, self._settings, name, self._pace)
        unavailable = False
        while not self._stop.is_set():
            seen = self._wakeups.count
            try:
                job = queue.claim(self._clock())
                unavailable = False
                if job is not None:
                    if self._run(queue, job):
                        return
                    continue
            except Exception as error:
                # The database may be unavailable for a while. The work goes on afterwards.
                if not is_unavailable(error):
                    log.exception("the queue cannot be read; trying again")
                elif not unavailable:
                    log.warning("the database is unavailable; trying again", error=reason(error))
                unavailable = is_unavailable(error)
                self._stop.wait(UNAVAILABLE_SECONDS if unavailable else self._settings.poll_seconds)
                continue
            self._wakeups.wait(seen, self._look_seconds)

    def _run(self, queue: Queue, job: Job) -> bool:
        """Run one attempt. At its end the job is Completed, Failed, released or lost to others.

        Returns whether another thread has taken the place of this one.
        """
        replaced = False
        bound = log.bind(job=job.id, kind=job.kind, attempt=job.attempts)
        prefix = f"{job.id}/{uuid.uuid4()}"
        stop = threading.Event()
        watch = threading.Thread(target=self._watch, args=(queue, job.id, stop), name="watch")
        watch.start()
        try:
            plan = self._plan(queue, job)
            manifest = assemble(
                plan,
                open_lake(self._settings, job.subscription, self._database),
                prefix=prefix,
                files=self._files,
                executor=self._executor,
                stop=stop,
                done=queue.parts(job.id),
                publish=lambda part: self._patiently(job, partial(queue.publish_part, job, part)),
                as_one=self._settings.files_redirect,
            )
            if self._pace is not AT_ONCE:
                # A job that is held must not keep others from running.
                self._start_thread()
                replaced = True
            self._pace.hold(job, stop)
            if stop.is_set():
                raise StoppedError  # noqa: TRY301 - the job may have been held until then
            self._patiently(job, lambda: queue.publish(job.id, manifest, self._clock()))
            bound.info("completed", records=manifest.records, bytes=manifest.size)
        except (LeaseLostError, StoppedError):
            if self._stop.is_set():
                with suppress(LeaseLostError):
                    queue.release(job, counts=False)
            bound.info("attempt stopped")
        except FailedByOrderError as order:
            bound.info("failed by order")
            with suppress(LeaseLostError):
                queue.fail(job.id, str(order), self._clock())
        except (Exception, PanicException) as error:  # noqa: BLE001 - the job reports it
            bound.exception("the attempt failed")
            with suppress(LeaseLostError):
                self._failed(queue, job, error)
        finally:
            stop.set()
            watch.join()
            try:
                self._clean_up(queue, job, prefix)
            except FilesError as error:
                bound.warning("parts could not be deleted", error=str(error))
        return replaced

    def _plan(self, queue: Queue, job: Job) -> Plan:
        """Return the stored plan of the job. Without one, make it from the lake, and store it."""
        if (pinned := queue.plan(job.id)) is not None:
            return Plan.from_json(pinned)
        moment = clock_of(self._database, job.subscription).at(self._clock())
        context = Context(
            catalog=Catalog(self._database, job.subscription),
            limits=limits_of(self._database, self._settings, job.subscription, moment),
            moment=moment,
        )
        plan = make_plan(
            find_kind(job.kind, context),
            job.request,
            context,
            open_lake(self._settings, job.subscription, self._database),
            self._settings.part_records,
        )
        queue.pin(job.id, plan.to_json())
        return plan

    def _patiently(self, job: Job, publish: Callable[[], None]) -> None:
        """Publish a part or a file. Try again while the database is unavailable.

        The work of rendering would otherwise be lost to a short outage.
        """
        while True:
            try:
                publish()
            except SQLAlchemyError as error:
                if not is_unavailable(error) or self._stop.is_set():
                    raise
                log.warning("cannot publish yet; trying again", job=job.id, error=reason(error))
                self._stop.wait(UNAVAILABLE_SECONDS)
            else:
                return

    def _clean_up(self, queue: Queue, job: Job, prefix: str) -> None:
        """Delete the parts that nobody will read, after an attempt with the keys `prefix` ended.

        The state of the job is read from the database, because an error may have come after the
        commit that published the job. If the job goes on, its published parts stay for the next
        attempt, and parts under other prefixes belong to other attempts. If the database is
        unavailable, all parts stay; the next attempt or the janitor deletes them.
        """
        state, keys = queue.state_and_keys(job.id)
        if state is State.COMPLETED:
            self._files.delete(job.id, but=keys)
        elif state in (State.CANCELLED, State.FAILED, None):
            self._files.delete(job.id)
        else:
            self._files.delete(prefix, but=keys)

    def _watch(self, queue: Queue, job_id: str, stop: threading.Event) -> None:
        """Renew the lease of a job; stop the attempt if the lease is lost or the worker ends."""
        renewed = self._timer()
        while not stop.wait(LOOK_SECONDS):
            if self._stop.is_set():
                stop.set()
                return
            try:
                queue.check(job_id)
                seconds = self._timer()
                if seconds - renewed > self._settings.lease_seconds / 3:
                    queue.renew(job_id, self._clock())
                    renewed = seconds
            except LeaseLostError:
                stop.set()
                return
            except Exception as error:
                if not is_unavailable(error):
                    log.exception("the lease cannot be renewed; trying again", job=job_id)

    def _failed(self, queue: Queue, job: Job, error: Exception) -> None:
        if isinstance(error, PartLostError):
            queue.drop_parts(job.id)
        if job.attempts < MAX_ATTEMPTS:
            queue.release(job, counts=True)
            return
        message = (
            f"Gave up after {MAX_ATTEMPTS} attempts: {type(error).__name__}: {in_a_line(error)}"
        )
        queue.fail(job.id, message, self._clock())
