import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

import pytest
from tests.support.offline import OfflineError, offline


def connect() -> None:
    socket.create_connection(("127.0.0.1", 9)).close()


def listen() -> None:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))


def resolve() -> None:
    socket.getaddrinfo("localhost", 80)


def start() -> None:
    subprocess.run([sys.executable, "--version"], check=True)


@pytest.mark.parametrize("attempt", [connect, listen, resolve, start])
def test_an_attempt_fails_the_test_even_where_its_error_is_taken(
    attempt: Callable[[], None],
) -> None:
    def attempt_offline() -> None:
        with offline(), suppress(OfflineError):
            attempt()

    with pytest.raises(AssertionError, match="tests/integration"):
        attempt_offline()


def test_files_and_threads_are_free() -> None:
    with offline():
        first, second = socket.socketpair()  # event loops have one
        first.close()
        second.close()
