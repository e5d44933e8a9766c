"""What becomes of the job of a run that broke off."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from outhaul.client.calls import Calls
from outhaul.client.errors import CallsSpentError, ClientError, OutOfTimeError
from outhaul.client.jobs import Job
from outhaul.protocol.states import State
from outhaul.protocol.texts import one_line

ENDING_SECONDS = 10.0
"""How long a run that broke off tries to cancel its job."""
_ALL_SECONDS = 20.0
_SHOWN = 240


class Fate(StrEnum):
    """What became of the job of a run that broke off."""

    CANCELLED = "cancelled"
    ENDED = "ended"
    """The job is Failed or Cancelled without this run."""
    COMPLETED = "completed"
    """The job is Completed: its file can be fetched."""
    LEFT = "left"
    """The job has not ended, as far as is known."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What became of the job of a run that broke off. `text` says it in words, with the id."""

    export_id: str
    fate: Fate
    text: str
    interrupted: bool = False
    """Whether the cancel was interrupted, so that its success is not known."""


@dataclass(frozen=True, kw_only=True)
class Open:
    """A job that has not ended, as far as is known. `is_own`: this run has created it."""

    calls: Calls
    job: Job
    is_own: bool


def all_ended(jobs: Iterable[Open], error: BaseException | None) -> list[Ending]:
    """Cancel the jobs of a run that broke off, and return what became of each. Nothing is raised.

    If an interrupt comes meanwhile, or if it takes longer than 20 seconds, the rest is left.
    """
    endings: list[Ending] = []
    end: float | None = None
    for each in jobs:
        try:
            now = each.calls.session.patience.now()
            end = now + _ALL_SECONDS if end is None else end
            is_hurried = any(ending.interrupted for ending in endings)
            endings.append(_ended_within(end - now, each, error, is_hurried=is_hurried))
        except BaseException:  # noqa: BLE001 - what ended the run is raised
            endings.append(_interrupted(each.job))
    return endings


def _ended_within(
    seconds: float, each: Open, error: BaseException | None, *, is_hurried: bool
) -> Ending:
    if not each.is_own:
        return left_to_others(each.job)
    if is_hurried:
        return _interrupted(each.job)
    if seconds <= 0:
        return _left(each.job, "was not cancelled: there was no time left for it")
    return ended(each.calls.within(min(seconds, ENDING_SECONDS)), each.job, error)


def ended(calls: Calls, job: Job, error: BaseException | None) -> Ending:
    """Cancel the job of a run that broke off, and return what became of the job.

    `error` is what broke the run off. Nothing is raised.
    """
    if job.status.ended:
        return _as_it_is(job)
    if isinstance(error, CallsSpentError):
        reason = "the day's calls are spent, so that a cancel would be refused too"
        return _left(job, f"was not cancelled: {reason}")
    try:
        calls.cancel(job.export_id)
        return Ending(
            export_id=job.export_id,
            fate=Fate.CANCELLED,
            text=f"{_name(job)} was cancelled",
        )
    except OutOfTimeError as over:
        problem = one_line(over.last_problem, _SHOWN) or "no answer"
        reason = f"{problem} (tried for {over.limit:g} s)"
    except ClientError as refused:
        reason = one_line(str(refused), _SHOWN)
    except Exception as problem:  # noqa: BLE001 - it must not hide what ended the run
        reason = f"{type(problem).__name__}: {one_line(str(problem), _SHOWN)}"
    except BaseException:  # noqa: BLE001 - what ended the run is raised
        return _interrupted(job)
    return _found(calls, job) or _left(job, f"could not be cancelled: {reason}")


def _found(calls: Calls, job: Job) -> Ending | None:
    """Return how a job that cannot be cancelled has ended, or `None` if it has not."""
    try:
        found = calls.status(job.export_id)
    except BaseException:  # noqa: BLE001 - what ended the run is raised
        return None
    return _as_it_is(found) if found.status.ended else None


def _interrupted(job: Job) -> Ending:
    left = _left(job, "may not be cancelled: the run was interrupted again")
    return replace(left, interrupted=True)


def _as_it_is(job: Job) -> Ending:
    fate = Fate.COMPLETED if job.status is State.COMPLETED else Fate.ENDED
    return Ending(export_id=job.export_id, fate=fate, text=f"{_name(job)} is {job.status} already")


def _left(job: Job, why: str) -> Ending:
    where = (
        "it is still in Created, and takes no place in the endpoint's queue"
        if job.status is State.CREATED
        else "it is still in the endpoint's queue"
    )
    return Ending(export_id=job.export_id, fate=Fate.LEFT, text=f"{_name(job)} {why}; {where}")


def left_to_others(job: Job) -> Ending:
    """Return what becomes of a job that another run has made: nothing."""
    if job.status.ended:
        return _as_it_is(job)
    text = f"{_name(job)} was left as it is, because this run did not create it"
    return Ending(export_id=job.export_id, fate=Fate.LEFT, text=text)


def _name(job: Job) -> str:
    return f"job {one_line(job.export_id)}"
