"""What has arrived of an export file, held against what its job announced."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from outhaul.client.counting import RecordCounter, counter_of
from outhaul.client.errors import ChecksumError
from outhaul.client.follower import Follower
from outhaul.client.jobs import Job

_SHA256 = re.compile(r"\s*(?:sha-?256\s*[:=]\s*)?([0-9a-f]{64})\s*", re.IGNORECASE | re.ASCII)


def sha256_of(checksum: str | None) -> str | None:
    """Return the SHA-256, in small hexadecimal digits, that a job announces as its checksum.

    `None` if it announces none, or something else: the file cannot be held against that.
    """
    match = _SHA256.fullmatch(checksum or "")
    return match and match[1].lower()


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A file that is as its job announced it, and what it could be held against."""

    size: int
    """Bytes of the file."""
    sha256: str
    """SHA-256 of the file, in hexadecimal digits."""
    records: int | None
    """Number of records as announced, or else as counted; `None` if neither is possible."""
    by_checksum: bool
    """Whether the job announced the SHA-256 of the file."""
    by_size: bool
    """Whether the job announced the size of the file."""
    by_records: bool
    """Whether the records were counted, and the job announced their number."""


class _Read:
    """What the bytes of a file have shown so far."""

    def __init__(self, counter: RecordCounter | None) -> None:
        self.hash = hashlib.sha256()
        self.counter = counter
        self.problem = ""

    def take(self, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            self.hash.update(piece)
            if self.counter is not None:
                try:
                    self.counter.update(piece)
                except ValueError as error:
                    self.problem, self.counter = str(error), None


class Arrived:
    """The bytes of a job's file that have arrived so far.

    They are read in a thread of their own while more are received. Records are counted only if
    there is no SHA-256 to check: it shows more, and counting is slower.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._announced = sha256_of(job.checksum)
        self._read = _Read(None if self._announced else counter_of(job.format))
        self._follower = Follower(self._read.take)
        self.size = 0

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes so far, in hexadecimal digits."""
        self._follower.settle()
        return self._read.hash.hexdigest()

    def update(self, piece: bytes) -> None:
        """Take in the next bytes."""
        self._follower.give(piece)
        self.size += len(piece)

    def check(self) -> Checked:
        """Return what was checked. Raises `ChecksumError` if this is not the announced file."""
        job, name = self._job, self._job.export_id
        if job.file_size not in (None, self.size):
            raise ChecksumError(f"{name} has {self.size} of {job.file_size} bytes")
        if self._announced not in (None, self.sha256):
            raise ChecksumError(f"{name} has sha256:{self.sha256}, not sha256:{self._announced}")
        counted = self._count()
        if counted is not None and job.records not in (None, counted):
            raise ChecksumError(f"{name} has {counted:,} of {job.records:,} records")
        return Checked(
            size=self.size,
            sha256=self.sha256,
            records=counted if job.records is None else job.records,
            by_checksum=self._announced is not None,
            by_size=job.file_size is not None,
            by_records=counted is not None and job.records is not None,
        )

    def _count(self) -> int | None:
        """Return the number of records, or `None` if they are not counted."""
        if self._announced is not None:
            return None
        if self.size == 0:
            return self._count_of_nothing()
        self._follower.settle()
        problem = self._read.problem
        if self._read.counter is not None:
            try:
                return self._read.counter.records()
            except ValueError as error:
                problem = str(error)
        if problem:
            raise ChecksumError(f"{self._job.export_id} is no {self._job.format}: {problem}")
        return None

    def _count_of_nothing(self) -> int:
        """Return 0 if the job announced a file without bytes, or without records.

        An endpoint without records usually sends a header. But a file without bytes is all that
        this one has, and so nothing is lost.
        """
        if self._job.file_size is None and self._job.records is None:
            raise ChecksumError(f"{self._job.export_id} has no bytes, and nothing says why")
        return 0
