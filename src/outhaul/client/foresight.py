"""How large exports will be, foreseen from those of the same family that have ended."""

import math
from collections import deque
from dataclasses import dataclass

from outhaul.client.jobs import Job
from outhaul.client.tasks import Task

_REMEMBERED = 8
_EMPTY_ENOUGH = 3
_MARGIN = 1.1


@dataclass(frozen=True)
class Size:
    """The size of an export. `most` is the number of bytes that a plan counts with."""

    bytes: int
    records: int
    most: int


@dataclass(frozen=True)
class _Seen:
    span: float
    bytes: int
    records: int | None


class Foresight:
    """The sizes of the latest exports, by family.

    A size is foreseen as the span of a task times the bytes in a unit of span, on average of the
    latest exports. A plan counts with the largest of them and a tenth more, because the records of
    a family are never spread evenly.
    """

    def __init__(self) -> None:
        self._seen: dict[str, deque[_Seen]] = {}

    def learn(self, task: Task, job: Job) -> None:
        """Note the size of a Completed job, if the endpoint gives it."""
        if job.file_size is not None:
            latest = self._seen.setdefault(task.family, deque(maxlen=_REMEMBERED))
            latest.append(_Seen(_span(task), job.file_size, job.records))

    def size(self, task: Task) -> Size | None:
        """Return the foreseen size of a task's export, or `None` if nothing is known.

        Exports without records tell little: the records of a family may begin later. Three of them
        tell that there may be none.
        """
        seen = self._seen.get(task.family, ())
        if all(each.records == 0 for each in seen) and len(seen) < _EMPTY_ENOUGH:
            return None
        span = _span(task) / sum(each.span for each in seen)
        most = max(each.bytes / each.span for each in seen) * _span(task)
        return Size(
            bytes=round(sum(each.bytes for each in seen) * span),
            records=round(sum(each.records or 0 for each in seen) * span),
            most=math.ceil(most * _MARGIN),
        )


def _span(task: Task) -> float:
    return task.span if 0 < task.span < math.inf else 1.0
