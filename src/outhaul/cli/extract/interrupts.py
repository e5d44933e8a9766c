"""What ends a command from outside: signals, and the end of its time. Both become an exception."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from outhaul.client import OutOfTimeError, Patience

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_SAME_SECONDS = 0.5
_STATUS_OF_SIGNALS = 128


class Interrupted(BaseException):
    """The command got a signal. No handler of errors takes it for one."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_status = _STATUS_OF_SIGNALS + number


@contextmanager
def raised_signals() -> Iterator[None]:
    """Raise `Interrupted` in the main thread for SIGINT, SIGTERM and SIGHUP.

    The second signal raises it too, and so ends what the first one has begun. The third one ends
    the process. Signals that follow within half a second count as the same one, because a terminal
    and a program that starts others may both send it. A signal that is ignored stays ignored: a
    program that is started by `nohup` outlives its terminal.
    """
    if threading.current_thread() is not threading.main_thread():
        # Python lets only the main thread handle signals.
        yield
        return
    # Windows has no SIGHUP.
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    before: dict[int, Any] = {
        number: signal.getsignal(number)
        for number in numbers
        if signal.getsignal(number) not in (signal.SIG_IGN, None)
    }
    moments: list[float] = []

    def end(number: int, _frame: FrameType | None) -> None:
        moment = time.monotonic()
        if moments and moment - moments[-1] < _SAME_SECONDS:
            return
        moments.append(moment)
        if len(moments) > 1:
            for each in before:
                signal.signal(each, signal.SIG_DFL)
        raise Interrupted(number)

    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def time_limit(patience: Patience) -> Iterator[None]:
    """Raise `OutOfTimeError` in the main thread when the time is over, whatever it is doing then.

    This ends what has no timeout of its own, such as a write to a stream whose reader has stalled.
    """
    if patience.limit is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    limit = patience.limit

    def end(_number: int, _frame: FrameType | None) -> None:
        raise OutOfTimeError(limit)

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, patience.at_most(limit))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
