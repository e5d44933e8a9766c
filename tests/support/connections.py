"""Connections to PostgreSQL that nobody closed, and the tests that opened them.

psycopg warns of such a connection when it is collected. That is in a later test, which then fails
for what another did. Here connections note the test that opens them.
"""

import gc
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import psycopg


@contextmanager
def watched() -> Iterator[Callable[[], list[str]]]:
    """Watch connections; give a function that returns the tests that left one open."""
    opened: weakref.WeakKeyDictionary[psycopg.Connection, str] = weakref.WeakKeyDictionary()
    left: list[str] = []
    begin = psycopg.Connection.__init__

    def noted(self: psycopg.Connection, pgconn: psycopg.pq.abc.PGconn, *rest: object) -> None:
        begin(self, pgconn, *rest)  # type: ignore[arg-type]
        test = os.environ.get("PYTEST_CURRENT_TEST", "no test")
        opened[self] = test

        def collected() -> None:
            if pgconn.status != psycopg.pq.ConnStatus.BAD:
                left.append(test)

        weakref.finalize(self, collected).atexit = False

    def open_now() -> list[str]:
        gc.collect()
        return sorted({*left, *(test for each, test in opened.items() if not each.closed)})

    with (
        patch.object(psycopg.Connection, "__init__", noted),
        patch.object(psycopg.BaseConnection, "__del__", lambda _: None),
    ):
        yield open_now
