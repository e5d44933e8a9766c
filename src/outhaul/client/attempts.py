"""How often the bytes of a file are asked for: as long as some arrive."""

from collections.abc import Callable
from dataclasses import dataclass

from outhaul.client.errors import (
    AnswerError,
    ClientError,
    DownloadError,
    FileMissingError,
    NotAFileError,
)
from outhaul.client.retries import is_temporary
from outhaul.client.session import Session


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """Calls that receive bytes of a file. A call that receives new bytes resets the count."""

    session: Session
    name: str
    """What messages call the file."""
    missing: int | None
    """How often a file that is missing is asked for; `None`: as often as the session does."""

    def run(
        self,
        receive: Callable[[], None],
        at: Callable[[], int],
        is_patient: Callable[[], bool] = lambda: True,
    ) -> None:
        """Call `receive` until it returns. `at` tells how many bytes have arrived.

        A call without new bytes is repeated while `is_patient` is true. Raises `DownloadError` if
        the connection stays broken, and other `ClientError`s.
        """
        furthest = at()
        missing = 0

        def again(error: ClientError) -> bool:
            nonlocal missing
            if isinstance(error, FileMissingError):
                # On a live instance, the file of a Completed job may not exist yet.
                missing += 1
                return self.missing is None or missing < self.missing
            return may_pass(error) and at() <= furthest and is_patient()

        while True:
            try:
                self.session.repeat(receive, on=again)
            except ClientError as error:
                if not may_pass(error):
                    raise
                if at() <= furthest:
                    if isinstance(error, NotAFileError):
                        raise
                    raise DownloadError(
                        f"{self.name} broke off at {at()} bytes: {error}"
                    ) from error
                furthest = at()
            else:
                return


def may_pass(error: BaseException | None) -> bool:
    """Return whether a file call may succeed if it is repeated."""
    if isinstance(error, NotAFileError | AnswerError):
        return True
    return isinstance(error, Exception) and is_temporary(error)
