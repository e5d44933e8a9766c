"""What a download writes to: a file that appears when it is whole, or a stream."""

import contextlib
import select
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from outhaul.client.arrived import Arrived, sha256_of
from outhaul.client.jobs import Job
from outhaul.client.own_file import OwnFile
from outhaul.client.partial import Label, OutputError, Span, claim, is_at, partial_path
from outhaul.client.publishing import existing_file, mode_of_new, resemble, sync_folder

_WRITE_BYTES = 1 << 18
_LOOK_SECONDS = 0.5


class Sink(Protocol):
    """Takes the bytes of a job's file in order."""

    arrived: Arrived
    """The bytes so far. It is there after `begin`."""
    validator: str
    """The version of the file at the endpoint that the bytes so far belong to, if it is known."""

    @property
    def can_begin_again(self) -> bool:
        """Whether bytes can be removed again."""

    def begin(self, job: Job) -> None:
        """Prepare for the file of this job, which may continue an earlier download."""

    def append(self, piece: bytes) -> None:
        """Write the next bytes."""

    def rewind(self) -> int:
        """Prepare for the file from its first byte; return how many bytes the caller must skip."""

    def note(self, validator: str) -> None:
        """Take down the version of the file at the endpoint, for a later download."""

    def finish(self) -> None:
        """Publish the bytes: all are there and have been checked."""

    def discard(self) -> None:
        """Remove the bytes if that is possible: they are wrong."""


class Stream(Protocol):
    """What `StreamSink` writes to: any binary stream for writing."""

    def write(self, content: memoryview, /) -> int | None:
        """Return how many bytes were taken. `None`: the stream does not block, and took none."""

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def fileno(self) -> int: ...


class StreamSink:
    """Writes to a stream, such as standard output. Bytes that were written cannot be removed.

    `name` is what messages call the stream. Without a name, errors of the stream are raised as they
    are. While a stream takes no bytes, `check` is called now and then, and may raise; this needs a
    stream that does not block.
    """

    can_begin_again = False

    def __init__(
        self, stream: Stream, name: str = "", *, check: Callable[[], None] = lambda: None
    ) -> None:
        self._stream = stream
        self._name = name
        self._check = check
        self.validator = ""
        self.arrived: Arrived

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stream.close()

    def begin(self, job: Job) -> None:
        self.arrived = Arrived(job)

    def append(self, piece: bytes) -> None:
        left = memoryview(piece)
        with self._named():
            while left:
                written = self._stream.write(left)
                if written is None:
                    self._check()
                    select.select([], [self._stream], [], _LOOK_SECONDS)
                left = left[written or 0 :]
        self.arrived.update(piece)

    def rewind(self) -> int:
        return self.arrived.size

    def note(self, validator: str) -> None:
        self.validator = validator

    def finish(self) -> None:
        with self._named():
            self._stream.flush()

    def discard(self) -> None:
        pass

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError as error:
            if not self._name:
                raise
            raise OutputError(f"the reader of {self._name} has closed it") from error
        except OSError as error:
            raise OutputError(f"{self._name or 'the output'}: {error.strerror}") from error


class FileSink:
    """The file at `target`, which is replaced in one step when all bytes are there and checked.

    Until then the bytes are in `<target>.part`, which one run owns from entering the context to
    leaving it. `<target>.part.json` names the job of the bytes. Leaving does not delete bytes, so
    that a later run can continue with the same job. Raises `OSError`, `OutputTakenError` among
    them.
    """

    can_begin_again = True

    def __init__(self, target: Path, name: str = "") -> None:
        self._target = target
        self._name = name or str(target)
        """What messages call the target: what the user called it."""
        self._path = partial_path(target)
        self._label = Label(self._path)
        self._job: Job | None = None
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._file: OwnFile
        self.validator = ""
        self.arrived: Arrived
        self.apart: list[Span] = []
        """Ranges of the file that are written, too, beyond the bytes that have arrived in order."""
        self._is_apart = False
        """Whether bytes are written out of order. The label then says which bytes are there."""
        self._was_apart = False
        """Whether bytes were written out of order. They were then read from the file."""

    def __enter__(self) -> Self:
        existing = existing_file(self._target, self._name)
        self._label.check()
        self._file = OwnFile(claim(self._path, mode_of_new(existing), self._name))
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # What ended the run matters more than a failure here.
        with contextlib.suppress(OSError):
            self._leave()
        self._file.close()

    def begin(self, job: Job) -> None:
        self._job = job
        self.arrived = Arrived(job)
        noted = self._label.read(job)
        if noted is None:
            # The old bytes are removed before the new label is written: no label names wrong bytes.
            self._file.truncate()
            self._label.write(job)
            return
        self._file.look_away()
        self.validator = noted.validator
        spans = noted.spans_of(self._file.size)
        self._is_apart = self._was_apart = noted.spans is not None
        if spans and spans[0].begin == 0:
            self._take(spans.pop(0).end)
        self.apart = spans

    def append(self, piece: bytes) -> None:
        self.arrived.update(piece)
        self._waiting.append(piece)
        self._waiting_bytes += len(piece)
        if self._waiting_bytes >= _WRITE_BYTES:
            self._write()

    def put(self, piece: bytes, position: int) -> None:
        """Write bytes out of order, which `take_up` takes up later. Threads may do so at once.

        `note_apart` comes before the first call. Raises `OutputError`.
        """
        self._store([piece], position)

    def note_apart(self, spans: Sequence[Span]) -> None:
        """Take down which ranges are written beyond the bytes that have arrived in order."""
        self._write()
        self.apart = list(spans)
        self._is_apart = self._was_apart = True
        if sha256_of(self._of_job().checksum) is None:
            # The label outlives a machine that stops. Without a checksum, so must the bytes.
            self._file.sync()
        self._write_label()

    def take_up(self, end: int) -> None:
        """Take in the bytes up to `end`, all of which are written."""
        self._take(end)
        self._file.flush_early(end)

    def gather(self) -> None:
        """Remove what is written out of order, so that the file can be continued in order."""
        if self._is_apart:
            self._file.truncate(self.arrived.size)
            self.apart, self._is_apart = [], False
            self._write_label()

    def rewind(self) -> int:
        """Remove all bytes, and return 0."""
        self._file.truncate()
        self._waiting, self._waiting_bytes = [], 0
        self.apart, self._is_apart, self._was_apart = [], False, False
        self.arrived = Arrived(self._of_job())
        self.validator = ""
        self._write_label()
        return 0

    def note(self, validator: str) -> None:
        if validator != self.validator:
            self.validator = validator
            self._write_label()

    def finish(self) -> None:
        """Sync the bytes to the disk, and rename the file to the target in one step.

        Raises `OutputError` if the bytes are not those that arrived, because another program has
        changed the file.
        """
        self._write()
        self._file.sync()
        if not self._is_as_written():
            if self._is_at():
                self.discard()
            raise OutputError(f"another program changed {self._path} while it was written")
        existing = existing_file(self._target, self._name)
        if existing is not None:
            resemble(self._file.descriptor, existing)
        if not self._is_at():
            raise OutputError(f"another program replaced {self._path} while it was written")
        # In this order: after the renaming, the label may be one of another run.
        self._label.remove()
        try:
            self._path.replace(self._target)
        except OSError as error:
            self._write_label()
            raise OutputError(f"{self._name}: {error.strerror}") from error
        sync_folder(self._target.parent)

    def discard(self) -> None:
        """Remove the bytes and their label."""
        self._waiting, self._waiting_bytes = [], 0
        self._label.remove()
        if self._is_at():
            self._path.unlink()

    def _leave(self) -> None:
        """Write what is waiting to be written; remove a file without bytes."""
        if self._is_at():
            if self._waiting:
                self._write()
            if self._file.size == 0:
                self.discard()

    def _of_job(self) -> Job:
        assert self._job is not None  # noqa: S101 - `begin` comes first
        return self._job

    def _is_at(self) -> bool:
        """Return whether the open file is still the one at its path."""
        return is_at(self._file.descriptor, self._path)

    def _write_label(self) -> None:
        spans = [Span(0, self.arrived.size), *self.apart] if self._is_apart else None
        self._label.write(self._of_job(), self.validator, spans)

    def _write(self) -> None:
        waiting, position = self._waiting, self.arrived.size - self._waiting_bytes
        self._waiting, self._waiting_bytes = [], 0
        if waiting:
            self._store(waiting, position)
            self._file.flush_early(self.arrived.size)

    def _store(self, pieces: Sequence[bytes], position: int) -> None:
        try:
            self._file.write(pieces, position)
        except OSError as error:
            raise OutputError(f"{self._path}: {error.strerror}") from error

    def _take(self, end: int) -> None:
        for piece in self._file.read(self.arrived.size, end):
            self.arrived.update(piece)

    def _is_as_written(self) -> bool:
        """Return whether the file has the bytes that arrived.

        A change of its time is no proof of other bytes, so that the bytes are read once more.
        """
        if not self._file.is_changed:
            return True
        job = self._of_job()
        if self._was_apart and sha256_of(job.checksum) is None:
            # What was read before may have been changed by then.
            return False
        found = Arrived(job)
        for piece in self._file.read(0, self._file.size):
            found.update(piece)
        return found.sha256 == self.arrived.sha256
