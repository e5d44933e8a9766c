"""Creating one job, although answers get lost.

`create` changes something. If the answer of an attempt is lost, the attempt may or may not have
created a job. Such a job is in Created and takes no place in the queue, so the call is simply tried
again, and `Doubles` cancels the double when the run ends.
"""

from collections.abc import Callable, Mapping
from typing import Any

from outhaul.client.calls import Calls
from outhaul.client.doubles import Doubles, Span
from outhaul.client.errors import ClientError
from outhaul.client.jobs import Job
from outhaul.client.retries import did_nothing, is_temporary
from outhaul.client.shield import shielded
from outhaul.protocol.answers.exports import DEFAULT_FORMAT

_GRACE_SECONDS = 5.0


class Creation:
    """The creation of one job. `job` is the job, as soon as it is known."""

    def __init__(self, calls: Calls, request: Mapping[str, Any], doubles: Doubles) -> None:
        self.job: Job | None = None
        self._calls = calls
        self._request = request
        self._doubles = doubles
        self._format = str(request.get("format") or DEFAULT_FORMAT).upper()

    def make(self) -> Job:
        """Create the job. Raises `ClientError`.

        An interrupt waits some seconds for the answer to a call that was sent, so that `job` is
        known.
        """
        return self._calls.session.repeat(self._attempt, on=is_temporary)

    def _attempt(self) -> Job:
        sent: list[float] = []

        def run(send: Callable[[], Job]) -> Job:
            begin = self._now()
            sent.append(begin)
            return shielded(lambda: self._keep(send(), begin), _GRACE_SECONDS)

        try:
            return self._calls.create_once(self._request, run)
        except ClientError as error:
            if sent and not did_nothing(error):
                self._doubles.lost(Span(sent[-1], self._now()), self._format)
                self._doubles.look()
            raise
        except BaseException:
            if sent and self.job is None:
                self._doubles.lost(Span(sent[-1], self._now()), self._format)
            raise

    def _keep(self, job: Job, begin: float) -> Job:
        self._doubles.made(job, Span(begin, self._now()))
        self.job = job
        return job

    def _now(self) -> float:
        return self._calls.session.patience.now()
