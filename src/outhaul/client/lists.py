"""The lists of export jobs of several kinds, as they were when they were last asked for."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from outhaul.client.calls import Calls
from outhaul.client.errors import CallsSpentError, ProtocolError
from outhaul.client.jobs import Job
from outhaul.client.retries import is_temporary
from outhaul.client.session import Session
from outhaul.protocol.texts import one_line


@dataclass
class _List:
    calls: Calls
    jobs: dict[str, Job] = field(default_factory=dict)
    asked: float = float("-inf")
    """When it was asked for, in seconds of the client's clock."""
    refused: bool = False


class JobLists:
    """The jobs of one API user, of some kinds."""

    def __init__(self, session: Session, kinds: Iterable[str]) -> None:
        self._session = session
        self._lists = {kind: _List(Calls(session, kind)) for kind in kinds}

    @property
    def kinds(self) -> list[str]:
        """The kinds whose lists are asked for."""
        return list(self._lists)

    def calls(self, kind: str) -> Calls:
        """Return the calls of a kind. It is one of the kinds from now on."""
        return self._of(kind).calls

    def look(self, kinds: Iterable[str], *, older_than: float = 0.0) -> None:
        """Ask for lists again that are older than so many seconds. Raises `ClientError`.

        A list that the endpoint refuses, for example because the API user has no permission for
        the kind, is empty.
        """
        for kind in kinds:
            known = self._of(kind)
            now = self._session.patience.now()
            if now - known.asked < older_than:
                continue
            if not known.refused:
                known.refused = not self._asked(kind, known)
            known.asked = now

    def _asked(self, kind: str, known: _List) -> bool:
        """Ask for a list. Return whether the endpoint gives it."""
        try:
            jobs = list(known.calls.jobs(exists=known.asked > float("-inf")))
        except ProtocolError as error:
            if isinstance(error, CallsSpentError) or is_temporary(error):
                raise
            problem = one_line(str(error), 200)
            self._session.notice(f"the list of jobs of {kind} is refused: {problem}")
            return False
        known.jobs = {job.export_id.casefold(): job for job in jobs}
        return True

    def find(self, kind: str, export_id: str) -> Job | None:
        """Return a job of a list, or `None` if the list does not have it."""
        return self._of(kind).jobs.get(export_id.casefold())

    def asked(self, kind: str) -> float:
        """Return when a list was asked for, in seconds of the client's clock."""
        return self._of(kind).asked

    def jobs(self) -> Iterator[tuple[str, Job]]:
        """Yield all jobs, each with its kind."""
        for kind, known in self._lists.items():
            for job in known.jobs.values():
                yield kind, job

    def _of(self, kind: str) -> _List:
        if kind not in self._lists:
            self._lists[kind] = _List(Calls(self._session, kind))
        return self._lists[kind]
