"""What the day's export quota has left, by the lists of jobs."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from outhaul.client.errors import QuotaExceededError
from outhaul.client.foresight import Size
from outhaul.client.jobs import Job
from outhaul.client.lists import JobLists
from outhaul.client.session import Session
from outhaul.protocol.quota_days import quota_day
from outhaul.protocol.states import State

MEGABYTE = 1_000_000
_NUMBER = re.compile(r"quota (\d+)MB", re.ASCII)
_IN_QUEUE = (State.QUEUED, State.PROCESSING)
# The clocks of an endpoint's parts differ a little: the day begins for all of them by then.
_DAY_SLACK = timedelta(seconds=5)
# So long after midnight a refusal may only mean that the endpoint's day is not over.
_UNSURE = timedelta(hours=1)
_RETRY = timedelta(minutes=10)


def _now() -> datetime:
    return datetime.now(UTC)


class Quota:
    """The day's quota of export bytes, and what the job lists say has been spent of it.

    A day goes from midnight to midnight in America/Chicago, by the endpoint's clock as far as it is
    known, and else by `now`. `kinds` are the kinds whose jobs count: all that the API user exports.
    `daily_bytes` is the whole quota, `None` if there is none. The endpoint's own word corrects it.
    """

    def __init__(
        self,
        session: Session,
        kinds: Iterable[str],
        daily_bytes: int | None,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self.daily_bytes = daily_bytes
        self.lists = JobLists(session, kinds)
        self._session = session
        self._now = now
        self._refused_until: datetime | None = None
        self._own: dict[str, Job] = {}

    def moment(self) -> datetime:
        """Return the time of the endpoint's clock."""
        return self._session.endpoint_time() or self._now()

    def day_end(self) -> datetime:
        """Return when the next day begins for certain, in UTC."""
        return quota_day(self.moment() - _DAY_SLACK)[1] + _DAY_SLACK

    def is_refused(self) -> bool:
        """Return whether the endpoint has said that the day's quota is spent."""
        if self._refused_until is not None and self.moment() >= self._refused_until:
            self._refused_until = None
        return self._refused_until is not None

    def retry_at(self) -> datetime:
        """Return when it is worth while to try again, in UTC."""
        return self._refused_until if self.is_refused() and self._refused_until else self.day_end()

    def refused(self, error: QuotaExceededError) -> None:
        """Note that the endpoint says that the day's quota is spent.

        Jobs of other API users are spent from the same quota, and no list shows them. The number in
        the text corrects the assumed quota.
        """
        if match := _NUMBER.search(error.message):
            self.daily_bytes = int(match[1]) * MEGABYTE
        begin, _ = quota_day(self.moment() - _DAY_SLACK)
        self._refused_until = self.day_end()
        if self.moment() < begin + _UNSURE and self.left():
            self._refused_until = min(self._refused_until, self.moment() + _RETRY)

    def note(self, job: Job) -> None:
        """Note a job of this run as it was seen last. It counts also if the list has lost it."""
        self._own[job.export_id.casefold()] = job

    def used(self) -> int:
        """Return the bytes of all files that were completed today.

        A file without a date counts too.
        """
        begin, _ = quota_day(self.moment() - _DAY_SLACK)
        jobs = {job.export_id.casefold(): job for _, job in self.lists.jobs()}
        jobs.update((key, job) for key, job in self._own.items() if job.status.ended)
        return sum(
            job.file_size or 0
            for job in jobs.values()
            if job.status is State.COMPLETED
            and (job.finished_at is None or job.finished_at >= begin)
        )

    def left(self) -> int | None:
        """Return the bytes that the day has left without jobs in flight; `None` means no limit."""
        return None if self.daily_bytes is None else max(0, self.daily_bytes - self.used())

    def others(self) -> list[tuple[str, Job]]:
        """Return the jobs of other runs that are in the queue, each with its kind."""
        return [
            (kind, job)
            for kind, job in self.lists.jobs()
            if job.status in _IN_QUEUE and job.export_id.casefold() not in self._own
        ]

    def others_bytes(self) -> int:
        """Return the bytes that the jobs of other runs in the queue are foreseen to have.

        Nothing is known of their requests, so that each is taken to be as large as the completed
        files of its kind are on average.
        """
        sizes = self._sizes()
        return sum(sum(size) // len(size) for kind, _ in self.others() if (size := sizes.get(kind)))

    def guess(self) -> Size | None:
        """Return the average size of all completed files of the lists, if there are any."""
        sizes = [size for each in self._sizes().values() for size in each]
        average = sum(sizes) // len(sizes) if sizes else 0
        return Size(average, 0, average) if sizes else None

    def _sizes(self) -> dict[str, list[int]]:
        sizes: dict[str, list[int]] = {}
        for kind, job in self.lists.jobs():
            if job.status is State.COMPLETED and job.file_size is not None:
                sizes.setdefault(kind, []).append(job.file_size)
        return sizes
