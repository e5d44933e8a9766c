"""What a download writes to: a file `<target>.part`, or a stream that cannot be rewound."""

import hashlib
import json
import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from outhaul.client.jobs import Job

PIECE_BYTES = 1 << 20


class Sink(Protocol):
    """Takes the bytes of a file in order."""

    @property
    def received(self) -> int:
        """Number of bytes that have arrived."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes so far, in hex."""

    def append(self, piece: bytes) -> None:
        """Write the next bytes."""

    def rewind(self) -> int:
        """Prepare for the file from its first byte; return how many bytes the caller must skip."""


class StreamSink:
    """Writes to a stream, such as standard output."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self.received = 0

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes so far, in hex."""
        return self._hash.hexdigest()

    def append(self, piece: bytes) -> None:
        self._stream.write(piece)
        self._hash.update(piece)
        self.received += len(piece)

    def rewind(self) -> int:
        """Return `received`: bytes that were written to a stream cannot be removed."""
        return self.received


class FileSink:
    """The file `<target>.part` with the bytes of one job's file that have arrived.

    `<target>.part.json` names the job, because only the same job can continue the file. Entering
    the context hashes the bytes of an earlier download. Leaving it does not delete the bytes, so
    that a later download can continue. Raises `OSError`.
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
            # The old bytes are removed before the new label is written: no label names wrong bytes.
            self._path.unlink(missing_ok=True)
            self._label_path.write_text(json.dumps(self._label), "utf-8")
        self._path.touch()
        # The buffer joins small pieces, so that few writes are needed. Closing writes the rest.
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
        self._file.write(piece)
        self._hash.update(piece)
        self.received += len(piece)

    def rewind(self) -> int:
        """Remove all bytes, and return 0."""
        self._file.seek(0)
        self._file.truncate()
        self._hash = hashlib.sha256()
        self.received = 0
        return 0

    def finish(self) -> None:
        """Sync the bytes to the disk, and rename the file to the target in one step."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._path.replace(self._target)
        self._label_path.unlink()

    def discard(self) -> None:
        """Remove the file."""
        self._file.close()
        self._path.unlink()
        self._label_path.unlink()

    def _is_of_same_job(self) -> bool:
        try:
            return bool(json.loads(self._label_path.read_text("utf-8")) == self._label)
        except (FileNotFoundError, ValueError):
            return False
