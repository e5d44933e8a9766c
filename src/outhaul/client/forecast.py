"""When everything will be there: the tasks that are left, spread over the days of the quota."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from outhaul.client.foresight import Size
from outhaul.protocol.quota_days import day_begin, quota_date

# Dates further away tell nobody anything, and the calendar has an end.
_LONGEST_DAYS = 36_500


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What is left of a flight, and when it will be there. `None` means that it is not known yet.

    The size of a task of which nothing is known is taken to be the average of the others; before
    the first of them has ended, the average of the files that the lists of jobs show.
    """

    tasks: int
    """Tasks that are left, those in flight among them."""
    unknown: int
    """Those whose size cannot be foreseen yet."""
    bytes: int | None
    records: int | None
    done_at: datetime | None
    """When the last job will be Completed, in UTC; without a quota only by the measured speed."""
    days: int | None
    """How many quota days it takes, today among them."""


@dataclass(frozen=True, kw_only=True)
class Today:
    """What a forecast begins with."""

    moment: datetime
    daily_bytes: int | None
    used: int
    """Bytes of the day's quota that are spent."""
    seconds_a_job: float = 0.0
    """The time from one Completed job to the next, as measured."""
    guess: Size | None = None
    """The size of a job as long as nothing better is known."""


def forecast(in_flight: Sequence[Size | None], left: Sequence[Size | None], now: Today) -> Forecast:
    """Return the forecast for jobs in flight, and for tasks in the order of their beginning."""
    sizes = [*in_flight, *left]
    known = [size for size in sizes if size is not None]
    unknown = len(sizes) - len(known)
    if unknown and not known and now.guess is None:
        return Forecast(
            tasks=len(sizes), unknown=unknown, bytes=None, records=None, done_at=None, days=None
        )
    other = _average(known) if known else now.guess or _average([])
    filled = [size or other for size in sizes]
    days = _days(filled, len(in_flight), now)
    done_at = None if days is None else _done_at(days, now)
    return Forecast(
        tasks=len(sizes),
        unknown=unknown,
        bytes=sum(size.bytes for size in filled),
        records=sum(size.records for size in filled),
        done_at=done_at,
        days=None if done_at is None else _days_to(done_at, now) + 1,
    )


def _average(sizes: Sequence[Size]) -> Size:
    count = len(sizes) or 1
    return Size(
        bytes=sum(size.bytes for size in sizes) // count,
        records=sum(size.records for size in sizes) // count,
        most=sum(size.most for size in sizes) // count,
    )


def _days(sizes: Sequence[Size], in_flight: int, now: Today) -> list[int] | None:
    """Return how many jobs end on each day from today on, or `None` if they never end.

    Each job goes to the first day that has room for it, as in a flight. One that is larger than a
    day's quota has a day of its own.
    """
    limit = now.daily_bytes
    if limit is None:
        return [len(sizes)]
    if limit <= 0:
        return None if sizes else []
    used, jobs = [now.used], [in_flight]
    used[0] += sum(size.bytes for size in sizes[:in_flight])
    smallest = min((size.most for size in sizes), default=0)
    first = 0
    for size in sizes[in_flight:]:
        # Days without room for any job are not looked at again.
        while first < len(used) and used[first] and used[first] + smallest > limit:
            first += 1
        day = first
        while day < len(used) and used[day] and used[day] + size.most > limit:
            day += 1
        if day >= _LONGEST_DAYS:
            return None
        if day == len(used):
            used.append(0)
            jobs.append(0)
        used[day] += max(size.bytes, 1) if size.most <= limit else limit
        jobs[day] += 1
    return jobs


def _done_at(jobs: Sequence[int], now: Today) -> datetime:
    done = now.moment
    for day, count in enumerate(jobs):
        begin = day_begin(quota_date(now.moment) + timedelta(days=day))
        done = max(done, begin) + timedelta(seconds=count * now.seconds_a_job)
    return done


def _days_to(done: datetime, now: Today) -> int:
    """Return on which quota day from today on a moment is; today is 0."""
    return (quota_date(done) - quota_date(now.moment)).days
