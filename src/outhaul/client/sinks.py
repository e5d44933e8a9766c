"""What a download writes to: a file that appears when it is whole, or a stream."""

import contextlib
import os
import select
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from outhaul.client.arrived import Arrived
from outhaul.client.jobs import Job
from outhaul.client.partial import Label, OutputError, claim, is_at, partial_path

PIECE_BYTES = 1 << 20
_WRITE_BYTES = 1 << 18
_FLUSH_BYTES = 8 << 20
_LOOK_SECONDS = 0.5
_NEW_FILE = 0o666
_PERMISSIONS = 0o7777


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
        self._written = self._flushed = 0
        self._is_changed = False
        self.validator = ""
        self.arrived: Arrived

    def __enter__(self) -> Self:
        existing = self._existing()
        # The bytes of a file that others may not read are not shown to them in the meantime.
        mode = _NEW_FILE if existing is None else existing.st_mode & _NEW_FILE
        self._label.check()
        self._file = claim(self._path, mode, self._name)
        self._seen = _version(self._file)
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
        os.close(self._file)

    def begin(self, job: Job) -> None:
        self._job = job
        self.arrived = Arrived(job)
        validator = self._label.read(job)
        if validator is None:
            # The old bytes are removed before the new label is written: no label names wrong bytes.
            self._truncate()
            self._label.write(job)
            return
        self.validator = validator
        while piece := os.pread(self._file, PIECE_BYTES, self.arrived.size):
            self.arrived.update(piece)
        self._written = self.arrived.size
        self._seen = _version(self._file)

    def append(self, piece: bytes) -> None:
        self.arrived.update(piece)
        self._waiting.append(piece)
        self._waiting_bytes += len(piece)
        if self._waiting_bytes >= _WRITE_BYTES:
            self._write()

    def rewind(self) -> int:
        """Remove all bytes, and return 0."""
        assert self._job is not None  # noqa: S101 - `begin` comes first
        self._truncate()
        self.arrived = Arrived(self._job)
        self.note("")
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
        os.fsync(self._file)
        if not self._is_as_written():
            if is_at(self._file, self._path):
                self.discard()
            raise OutputError(f"another program changed {self._path} while it was written")
        existing = self._existing()
        if existing is not None:
            self._resemble(existing)
        if not is_at(self._file, self._path):
            raise OutputError(f"another program replaced {self._path} while it was written")
        # In this order: after the renaming, the label may be one of another run.
        self._label.remove()
        try:
            self._path.replace(self._target)
        except OSError as error:
            self._write_label()
            raise OutputError(f"{self._name}: {error.strerror}") from error
        _sync_folder(self._target.parent)

    def discard(self) -> None:
        """Remove the bytes and their label."""
        self._waiting, self._waiting_bytes = [], 0
        self._label.remove()
        if is_at(self._file, self._path):
            self._path.unlink()

    def _leave(self) -> None:
        """Write what is waiting to be written; remove a file without bytes."""
        if is_at(self._file, self._path):
            if self._waiting:
                self._write()
            if os.fstat(self._file).st_size == 0:
                self.discard()

    def _write_label(self) -> None:
        assert self._job is not None  # noqa: S101 - `begin` comes first
        self._label.write(self._job, self.validator)

    def _existing(self) -> os.stat_result | None:
        """Return the status of the target, if there is one. Raises `OutputError`."""
        try:
            found = self._target.stat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode):
            raise OutputError(f"{self._name} is no regular file")
        if not os.access(self._target, os.W_OK):
            raise OutputError(f"{self._name} is read-only")
        return found

    def _write(self) -> None:
        self._look_for_changes()
        content = memoryview(b"".join(self._waiting))
        self._waiting, self._waiting_bytes = [], 0
        try:
            while content:
                written = os.pwrite(self._file, content, self._written)
                self._written += written
                content = content[written:]
            self._flush_early()
        except OSError as error:
            raise OutputError(f"{self._path}: {error.strerror}") from error
        finally:
            self._seen = _version(self._file)

    def _flush_early(self) -> None:
        """Let the disk begin with what was written. The sync at the end then takes no time."""
        count = self._written - self._flushed
        if count >= _FLUSH_BYTES and hasattr(os, "posix_fadvise"):
            # The advice starts the writing, and does not wait for it.
            os.posix_fadvise(self._file, self._flushed, count, os.POSIX_FADV_DONTNEED)
            self._flushed = self._written

    def _truncate(self) -> None:
        os.ftruncate(self._file, 0)
        self._waiting, self._waiting_bytes = [], 0
        self._written = self._flushed = 0
        self._is_changed = False
        self._seen = _version(self._file)

    def _look_for_changes(self) -> None:
        self._is_changed = self._is_changed or _version(self._file) != self._seen

    def _is_as_written(self) -> bool:
        """Return whether the file has the bytes that arrived.

        A change of its time is no proof of other bytes, so that the bytes are read once more.
        """
        self._look_for_changes()
        if not self._is_changed:
            return True
        assert self._job is not None  # noqa: S101 - `begin` comes first
        found = Arrived(self._job)
        while piece := os.pread(self._file, PIECE_BYTES, found.size):
            found.update(piece)
        return found.sha256 == self.arrived.sha256

    def _resemble(self, existing: os.stat_result) -> None:
        """Give the file the mode of the existing one, and its owner and group where permitted."""
        own = os.fstat(self._file)
        if (own.st_uid, own.st_gid) != (existing.st_uid, existing.st_gid):
            with contextlib.suppress(OSError):
                os.fchown(self._file, -1, existing.st_gid)
            with contextlib.suppress(OSError):
                os.fchown(self._file, existing.st_uid, -1)
        with contextlib.suppress(OSError):
            os.fchmod(self._file, existing.st_mode & _PERMISSIONS)


def _version(descriptor: int) -> tuple[int, int]:
    """Return the size and the time of the latest change, in nanoseconds."""
    found = os.fstat(descriptor)
    return found.st_size, found.st_mtime_ns


def _sync_folder(folder: Path) -> None:
    """Sync the entries of a folder to the disk, if its file system can do that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
