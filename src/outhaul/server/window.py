"""A lower bound on how fast bytes move, measured over windows of time."""


class Window:
    """Checks that at least `least` bytes move in every window of `seconds`.

    One rule finds both a client that stops and a client that moves a byte now and then. Windows
    follow one another, so that bytes of earlier windows do not count.
    """

    def __init__(self, seconds: float, least: int) -> None:
        self._seconds = seconds
        self._least = least
        self._start: tuple[float, int] | None = None

    def restart(self) -> None:
        """Begin a window at the next call of `moves`."""
        self._start = None

    def moves(self, now: float, moved: int) -> bool:
        """Return whether bytes move. `moved` is the number of bytes so far, and only grows."""
        if self._start is None:
            self._start = now, moved
        began, before = self._start
        if now - began < self._seconds:
            return True
        self._start = now, moved
        return moved - before >= self._least
