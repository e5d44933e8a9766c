"""Holds tests to what needs no server: no connection, no listening socket, no other process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

FORBIDDEN = {
    "socket.bind",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.sendto",
    "subprocess.Popen",
    "os.fork",
    "os.posix_spawn",
}
"""Events of the interpreter, as `sys.addaudithook` names them."""


class OfflineError(AssertionError):
    """A test that is to run without network and processes asks for one."""


class _Guard:
    """A hook of the interpreter cannot be taken away again, so there is one for all tests."""

    def __init__(self) -> None:
        self.added = False
        self.seen: list[str] | None = None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.seen is not None and event in FORBIDDEN:
            self.seen.append(f"{event}{arguments!r}")
            raise OfflineError(self.seen[-1])


_guard = _Guard()


@contextmanager
def offline() -> Iterator[None]:
    """Forbid network and processes meanwhile; what was tried fails the test, too, if it went on."""
    if not _guard.added:
        sys.addaudithook(_guard)
        _guard.added = True
    seen: list[str] = []
    before, _guard.seen = _guard.seen, seen
    try:
        yield
    finally:
        _guard.seen = before
    assert not seen, f"this test belongs into tests/integration: {seen}"
