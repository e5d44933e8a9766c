"""The states of an export job (bulk activity extract, polling job status).

The states are part of the wire contract; the rules by which a job changes its state stand in
`outhaul.jobs`.
"""

from enum import StrEnum


class State(StrEnum):
    """A state, spelled as answers spell it: clients match on `Cancelled` with two l's."""

    CREATED = "Created"
    """Defined, but not asked to run."""
    QUEUED = "Queued"
    """Waiting for a worker."""
    PROCESSING = "Processing"
    """Held by a worker, which is planning or rendering."""
    CANCELLED = "Cancelled"
    """Ended by its owner before it was done; it has no file."""
    COMPLETED = "Completed"
    """Done; its file can be fetched, whole or in ranges."""
    FAILED = "Failed"
    """Given up; `errorMsg` says why. It has no file."""

    @property
    def ended(self) -> bool:
        """Whether the job will never change again."""
        return self in (State.CANCELLED, State.COMPLETED, State.FAILED)


def parse_state(text: str) -> State:
    """Return the state that a parameter names, in any case, with one l or two.

    Raises `ValueError` where it names none.
    """
    name = text.strip().capitalize()
    return State("Cancelled" if name == "Canceled" else name)
