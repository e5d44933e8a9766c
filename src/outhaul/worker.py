"""The worker: claims jobs, holds them, runs them, publishes them."""

import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import structlog
from polars.exceptions import PanicException

from outhaul.catalog.store import Catalog
from outhaul.clock import now
from outhaul.extract.executors import LocalExecutor, StoppedError, export
from outhaul.extract.plan import Plan, make_plan
from outhaul.files.store import FileStore
from outhaul.jobs.job import Job
from outhaul.jobs.queue import MAX_ATTEMPTS, LeaseLostError, Queue
from outhaul.kinds import find_kind
from outhaul.kinds.kind import Context
from outhaul.lake.snapshot import Lake
from outhaul.protocol.states import State
from outhaul.settings import Settings
from outhaul.state.database import Database
from outhaul.subscription.limits import limits_of

LOOK_SECONDS = 0.25
"""How often a worker looks whether a job is still its own: a cancelled one stops within 1 s."""

log = structlog.get_logger()


class Worker:
    """Runs export jobs in some threads of this process, until it is told to stop."""

    def __init__(
        self, settings: Settings, *, clock: Callable[[], datetime] = now, name: str | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._name = name or str(uuid.uuid4())
        self._stop = threading.Event()
        self._database = Database(settings.database_url)
        self._files = FileStore(settings.files_folder)
        self._executor = LocalExecutor(self._files, settings.part_threads)

    def run(self) -> None:
        """Work until `stop` is called; then hand back what is not done."""
        threads = [
            threading.Thread(target=self._work, args=(f"{self._name}/{n}",), name=f"job-{n}")
            for n in range(max(1, self._settings.workers))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._executor.close()
        self._database.close()

    def stop(self) -> None:
        """End the work soon; safe to call from a signal handler."""
        self._stop.set()

    def _work(self, name: str) -> None:
        queue = Queue(self._database, self._settings, name)
        while not self._stop.is_set():
            try:
                job = queue.claim(self._clock())
                if job is not None:
                    self._run(queue, job)
                    continue
            except Exception:
                # The database may be away for a while; the queue goes on when it is back.
                log.exception("the queue cannot be read; trying again")
            self._stop.wait(self._settings.poll_seconds)

    def _run(self, queue: Queue, job: Job) -> None:
        """Run one job to an end: published, failed, handed back, or left to who has it now."""
        bound = log.bind(job=job.id, kind=job.kind, attempt=job.attempts)
        prefix = f"{job.id}/{uuid.uuid4()}"
        stop = threading.Event()
        watch = threading.Thread(target=self._watch, args=(queue, job.id, stop), name="watch")
        watch.start()
        try:
            plan = self._plan(queue, job)
            lake = self._settings.lake_folder / job.subscription
            manifest = export(
                plan,
                lake,
                prefix=prefix,
                files=self._files,
                executor=self._executor,
                stop=stop,
            )
            queue.publish(job.id, manifest, self._clock())
            bound.info("completed", records=manifest.records, bytes=manifest.size)
        except (LeaseLostError, StoppedError):
            if self._stop.is_set():
                with suppress(LeaseLostError):
                    queue.release(job.id, counts=False)
            bound.info("let go")
        except (Exception, PanicException) as error:  # noqa: BLE001 - the job says what it was
            bound.exception("the attempt failed")
            with suppress(LeaseLostError):
                self._failed(queue, job, error)
        finally:
            stop.set()
            watch.join()
            self._clean_up(queue, job, prefix)

    def _plan(self, queue: Queue, job: Job) -> Plan:
        """Return what the job reads: as it was pinned, or as of now, which is then pinned."""
        if job.plan is not None:
            return Plan.from_json(job.plan)
        context = Context(
            catalog=Catalog(self._database, job.subscription),
            limits=limits_of(self._database, self._settings, job.subscription),
            moment=self._clock(),
        )
        plan = make_plan(
            find_kind(job.kind, context),
            job.request,
            context,
            Lake(self._settings.lake_folder / job.subscription),
            self._settings.part_records,
        )
        queue.pin(job.id, plan.to_json())
        return plan

    def _clean_up(self, queue: Queue, job: Job, prefix: str) -> None:
        """Remove the parts that nobody will read; `prefix` is that of the attempt that ended.

        What the attempt itself knows is not enough: an error may have come after the commit that
        published it. Attempts that ended with their process left parts, too, and only when the
        job has ended is it certain that they were not published. Where the database cannot say
        how that is, all parts stay, for the next attempt to remove.
        """
        if queue.has_published(job.id, prefix):
            self._files.delete_beside(prefix)
        elif queue.state(job.id) in (State.CANCELLED, State.FAILED):
            self._files.delete(job.id)
        else:
            self._files.delete(prefix)

    def _watch(self, queue: Queue, job_id: str, stop: threading.Event) -> None:
        """Renew the lease of a running job, and stop the job when it is lost or we are to end."""
        renewed = self._clock()
        while not stop.wait(LOOK_SECONDS):
            if self._stop.is_set():
                stop.set()
                return
            try:
                queue.check(job_id)
                if (self._clock() - renewed).total_seconds() > self._settings.lease_seconds / 3:
                    renewed = self._clock()
                    queue.renew(job_id, renewed)
            except LeaseLostError:
                stop.set()
                return
            except Exception:
                log.exception("the lease cannot be renewed; trying again", job=job_id)

    def _failed(self, queue: Queue, job: Job, error: Exception) -> None:
        if job.attempts < MAX_ATTEMPTS:
            queue.release(job.id, counts=True)
            return
        message = f"Gave up after {MAX_ATTEMPTS} attempts: {type(error).__name__}: {error}"
        queue.fail(job.id, message, self._clock())
