"""Which files of a folder are opened meanwhile, by whatever library: the system tells."""

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OPENED = 0x20  # IN_OPEN of inotify(7)
_HEAD = struct.Struct("iIII")


@contextmanager
def opened_files(folder: Path) -> Iterator[set[str]]:
    """Give a set that holds, once this is left, the paths of the files that were opened.

    They are paths under the folder, all of whose folders are there already.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    watching = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert watching >= 0, os.strerror(ctypes.get_errno())
    try:
        folders: dict[int, str] = {}
        for where, _, _ in os.walk(folder):
            number = libc.inotify_add_watch(watching, os.fsencode(where), _OPENED)
            assert number >= 0, os.strerror(ctypes.get_errno())
            folders[number] = os.path.relpath(where, folder)
        found: set[str] = set()
        yield found
        found |= set(_read(watching, folders, folder))
    finally:
        os.close(watching)


def _read(watching: int, folders: dict[int, str], folder: Path) -> Iterator[str]:
    while True:
        try:
            events = os.read(watching, 2**20)
        except BlockingIOError:
            return
        while events:
            number, _, _, length = _HEAD.unpack_from(events)
            name = events[_HEAD.size : _HEAD.size + length].rstrip(b"\0").decode()
            events = events[_HEAD.size + length :]
            assert number in folders, "more was opened than the system could tell"
            path = os.path.normpath(f"{folders[number]}/{name}")
            if (folder / path).is_file():
                yield path
