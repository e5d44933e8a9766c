"""The lock of a mirror: of two runs at once, the second one does nothing."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from outhaul.database.engine import Database
from outhaul.lake.snapshot import Lake


class MirrorRunsError(RuntimeError):
    """Another run of this mirror is at work."""


@contextmanager
def only_run(lake: Lake, database: Database, subscription: str) -> Iterator[None]:
    """Hold the lock of a subscription's mirror. Raises `MirrorRunsError` if another run holds it.

    A lock file excludes runs of this machine, and a lock of the database those of others. Both end
    with the process.
    """
    lake.folder.mkdir(parents=True, exist_ok=True)
    with (lake.folder / ".mirror.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MirrorRunsError(MirrorRunsError.__doc__) from None
        held = (
            database.hold_if_free(f"mirror/{subscription}")
            if database.is_postgresql
            else nullcontext(enter_result=True)
        )
        with held as is_free:
            if not is_free:
                raise MirrorRunsError(MirrorRunsError.__doc__)
            yield
