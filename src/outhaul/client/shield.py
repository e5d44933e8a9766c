"""A call that is carried through although the program is interrupted."""

from collections.abc import Callable
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")


def shielded(call: Callable[[], T], grace: float) -> T:
    """Return what `call` returns, or raise what it raises. `call` runs in a thread of its own.

    An exception of a signal, such as `KeyboardInterrupt`, is raised in the main thread and does
    not break off `call`. It leaves this function when `call` has ended, or after `grace` seconds.
    A second one leaves it at once.
    """
    results: list[T] = []
    problems: list[BaseException] = []
    ended = Event()

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            problems.append(error)
        finally:
            ended.set()

    try:
        # A daemon: the program can end while the call still waits.
        Thread(target=work, name="shielded call", daemon=True).start()
        ended.wait()
    except BaseException:
        ended.wait(grace)
        raise
    if problems:
        raise problems[0]
    return results[0]
