"""The states of an export job (bulk activity extract, polling job status).

Answers show the states. `outhaul.jobs` has the rules for changing from one to another.
"""

from enum import StrEnum


class State(StrEnum):
    """A state of an export job, spelled as in answers. Clients expect `Cancelled` with two l's."""

    CREATED = "Created"
    """The job is defined, but not enqueued."""
    QUEUED = "Queued"
    """The job waits for a worker."""
    PROCESSING = "Processing"
    """A worker holds the lease of the job, and plans or renders its file."""
    CANCELLED = "Cancelled"
    """The owner ended the job before it was completed. The job has no file."""
    COMPLETED = "Completed"
    """The file of the job is whole and can be fetched."""
    FAILED = "Failed"
    """The job was given up after too many attempts; `errorMsg` has the reason. It has no file."""

    @property
    def ended(self) -> bool:
        """Whether the state is final: a job in it never changes its state again."""
        return self in (State.CANCELLED, State.COMPLETED, State.FAILED)


class UnknownState(str):
    """A state that an endpoint shows and that is none of `State`. The job has not ended."""

    __slots__ = ()

    ended = False


def parse_state(text: str) -> State:
    """Return the state that a parameter names, in upper or lower case, with one l or two.

    Raises `ValueError` if the text names no state.
    """
    name = text.strip().capitalize()
    return State("Cancelled" if name == "Canceled" else name)
