"""What a file takes over from the one that it replaces, and syncing it to the disk."""

import contextlib
import os
import stat
from pathlib import Path

from outhaul.client.partial import OutputError

_NEW_FILE = 0o666
_PERMISSIONS = 0o7777


def existing_file(target: Path, name: str) -> os.stat_result | None:
    """Return the status of the file that will be replaced, if there is one.

    Raises `OutputError` if it must not be replaced. `name` is what the message calls it.
    """
    try:
        found = target.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise OutputError(f"{name} is no regular file")
    if not os.access(target, os.W_OK):
        raise OutputError(f"{name} is read-only")
    return found


def mode_of_new(existing: os.stat_result | None) -> int:
    """Return the mode to make a partial file with, before the umask.

    The bytes of a file that others may not read are not shown to them in the meantime.
    """
    return _NEW_FILE if existing is None else existing.st_mode & _NEW_FILE


def resemble(descriptor: int, existing: os.stat_result) -> None:
    """Give an open file the mode of the existing one, and its owner and group where permitted."""
    own = os.fstat(descriptor)
    if (own.st_uid, own.st_gid) != (existing.st_uid, existing.st_gid):
        with contextlib.suppress(OSError):
            os.fchown(descriptor, -1, existing.st_gid)
        with contextlib.suppress(OSError):
            os.fchown(descriptor, existing.st_uid, -1)
    with contextlib.suppress(OSError):
        os.fchmod(descriptor, existing.st_mode & _PERMISSIONS)


def sync_folder(folder: Path) -> None:
    """Sync the entries of a folder to the disk, if its file system can do that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
