"""The partial file of an output: its name, its lock, and the job that its bytes belong to."""

import contextlib
import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from outhaul.client.jobs import Job

_SUFFIX = ".part"
_LABEL = ".json"
_LONGEST_NAME = 255
_READ_WRITE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class OutputError(OSError):
    """The output cannot be written."""


class OutputTakenError(OutputError):
    """Another run writes the same output."""


def partial_path(target: Path) -> Path:
    """Return the path `<target>.part`. A name that is too long for a suffix is cut.

    It is the same for every run, because runs exclude each other by it.
    """
    name = os.fsencode(target.name)
    longest = _longest_name(target.parent) - len(_SUFFIX) - len(_LABEL)
    if len(name) <= longest:
        return target.with_name(target.name + _SUFFIX)
    mark = "-" + hashlib.sha256(name).hexdigest()[:16]
    beginning = name[: longest - len(mark)].decode(errors="ignore")
    return target.with_name(beginning + mark + _SUFFIX)


def claim(path: Path, mode: int, target: str) -> int:
    """Return a descriptor of the partial file of a target, with its lock, to read and write.

    The file is made with the permissions `mode` if it is missing. The lock ends with the process,
    however that ends. Raises `OutputTakenError` if another run has it, and other `OSError`s.
    """
    while True:
        descriptor = os.open(path, _READ_WRITE, mode)
        try:
            _check_regular(descriptor, path)
            _lock(descriptor, path, target)
            # The run that had the lock before may have renamed or removed the file meanwhile. Then
            # this is the lock of a file that is not at the path any more.
            if is_at(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def is_at(descriptor: int, path: Path) -> bool:
    """Return whether the open file is the one at the path."""
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)


class Span(NamedTuple):
    """Bytes `begin` up to but not including `end` of a file."""

    begin: int
    end: int


@dataclass(frozen=True)
class Noted:
    """What a label says of the bytes of its job."""

    validator: str
    """The version of the file at the endpoint, or an empty text."""
    spans: list[Span] | None
    """Which bytes have arrived. `None`: all that the file has."""

    def spans_of(self, size: int) -> list[Span]:
        """Return which bytes of a file of this size have arrived, in order."""
        spans = [Span(0, size)] if self.spans is None else self.spans
        return [Span(begin, min(end, size)) for begin, end in spans if begin < size]


class Label:
    """The file `<partial>.json`, which names the job whose bytes the partial file has.

    Only the same job can continue the file. `validator` is the version of the file at the endpoint.
    """

    def __init__(self, partial: Path) -> None:
        self._path = partial.with_name(partial.name + _LABEL)

    def check(self) -> None:
        """Raise `OutputError` if there is something at the path that is no label."""
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISREG(self._path.lstat().st_mode):
                raise OutputError(f"{self._path} is in the way: it is no regular file")

    def read(self, job: Job) -> Noted | None:
        """Return what is noted, or `None` if the label does not name this job."""
        try:
            found = json.loads(self._path.read_text("utf-8"))
            if not _of(job).items() <= found.items():
                return None
            validator = found.get("validator")
            return Noted(validator if isinstance(validator, str) else "", _spans(found))
        except (
            FileNotFoundError,
            ArithmeticError,
            AttributeError,
            TypeError,
            ValueError,
            RecursionError,
        ):
            return None

    def write(self, job: Job, validator: str = "", spans: Sequence[Span] | None = None) -> None:
        """Write the label, with the ranges that have arrived if they are not all of the file."""
        content: dict[str, Any] = {**_of(job), "validator": validator}
        if spans is not None:
            content["ranges"] = spans
        self._path.write_text(json.dumps(content), "utf-8")

    def remove(self) -> None:
        """Remove the label, if there is one."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()


def _of(job: Job) -> Mapping[str, Any]:
    return {"exportId": job.export_id, "checksum": job.checksum, "bytes": job.file_size}


def _spans(label: Mapping[str, Any]) -> list[Span] | None:
    """Return the ranges of a label, in order. Raises `ValueError` or `TypeError`."""
    if "ranges" not in label:
        return None
    spans = [Span(int(begin), int(end)) for begin, end in label["ranges"]]
    at = 0
    for begin, end in spans:
        if not at <= begin <= end:
            raise ValueError(label["ranges"])
        at = end
    return [span for span in spans if span.begin < span.end]


def _check_regular(descriptor: int, path: Path) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OutputError(f"{path} is in the way: it is no regular file")


def _lock(descriptor: int, path: Path, target: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OutputTakenError(f"another run is writing {target}") from None
    except OSError as error:
        raise OutputError(f"{path} cannot be locked: {error.strerror}") from error


def _longest_name(folder: Path) -> int:
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (OSError, ValueError):
        return _LONGEST_NAME
