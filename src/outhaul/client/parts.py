"""Where a download's bytes go: a `.part` beside the target, or a stream that cannot go back."""

import hashlib
import json
import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from outhaul.client.exports import Job

PIECE_BYTES = 1 << 20


class Part(Protocol):
    """The bytes that have arrived of a file."""

    @property
    def received(self) -> int:
        """Number of bytes so far."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes so far, in hex."""

    def append(self, piece: bytes) -> None:
        """Take the next bytes."""

    def rewind(self) -> int:
        """Make ready for the file from its first byte; return how many bytes of it to pass over."""


class StreamPart:
    """Bytes on their way into a stream, such as standard output."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self.received = 0

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes so far, in hex."""
        return self._hash.hexdigest()

    def append(self, piece: bytes) -> None:
        """Write the next bytes."""
        self._stream.write(piece)
        self._hash.update(piece)
        self.received += len(piece)

    def rewind(self) -> int:
        """Return the number of bytes so far: what was written cannot be taken back."""
        return self.received


class FilePart:
    """`<target>.part`, which holds what has arrived of one job's file.

    `<target>.part.json` tells whose bytes they are: only the same job goes on with them. Entering
    takes up what is there, and hashes it; leaving keeps it for another time. Raises `OSError`.
    """

    def __init__(self, target: Path, job: Job) -> None:
        self._target = target
        self._path = target.with_name(target.name + ".part")
        self._label_path = target.with_name(target.name + ".part.json")
        self._label = {"exportId": job.export_id, "checksum": job.checksum, "bytes": job.file_size}
        self.received = 0
        self._hash = hashlib.sha256()

    def __enter__(self) -> Self:
        if not self._is_of_same_job():
            # The old bytes go before the new label comes: they never stand under a wrong name.
            self._path.unlink(missing_ok=True)
            self._label_path.write_text(json.dumps(self._label), "utf-8")
        self._path.touch()
        # Bytes are written in large pieces, but taken as they come: a broken connection loses none.
        self._file = self._path.open("r+b", buffering=PIECE_BYTES)
        while piece := self._file.read(PIECE_BYTES):
            self._hash.update(piece)
            self.received += len(piece)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes so far, in hex."""
        return self._hash.hexdigest()

    def append(self, piece: bytes) -> None:
        """Write the next bytes."""
        self._file.write(piece)
        self._hash.update(piece)
        self.received += len(piece)

    def rewind(self) -> int:
        """Forget all bytes, and return 0."""
        self._file.seek(0)
        self._file.truncate()
        self._hash = hashlib.sha256()
        self.received = 0
        return 0

    def finish(self) -> None:
        """Give the bytes their target's name, in one step."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._path.replace(self._target)
        self._label_path.unlink()

    def discard(self) -> None:
        """Remove the bytes."""
        self._file.close()
        self._path.unlink()
        self._label_path.unlink()

    def _is_of_same_job(self) -> bool:
        try:
            return bool(json.loads(self._label_path.read_text("utf-8")) == self._label)
        except (FileNotFoundError, ValueError):
            return False
