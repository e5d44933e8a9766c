"""The journal of an extract of several windows: what a later run needs to go on with it.

It is a file of JSON lines in the folder of the window files. The first line says what is asked for
and which windows that makes; the upper bound of the last one is fixed in it. Each further line
notes the job of a window, or its file. A line is on the disk before the run goes on, and one that
was cut off by a crash does not count.
"""

import contextlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from outhaul.client.arrived import Checked
from outhaul.client.jobs import Job
from outhaul.client.partial import OutputError, claim, is_at
from outhaul.protocol.states import State
from outhaul.protocol.windows import Period, Window

NAME = "extract.jsonl"
_VERSION = 1
_NEW_FILE = 0o666


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What is known of a window: nothing, its job, or its file too."""

    export_id: str | None = None
    job: Job | None = None
    """The Completed job, if the file has arrived."""
    checked: Checked | None = None
    """What the file was held against when it arrived."""


class Journal:
    """The journal in a folder, which one run owns from opening it to closing it.

    `windows` are from the oldest on; `None` stands for an extract without a period.
    """

    def __init__(self, folder: Path, descriptor: int, windows: Sequence[Window | None]) -> None:
        self.windows = windows
        self._folder = folder
        self._file = descriptor
        self._entries = [Entry() for _ in windows]

    @classmethod
    def open(
        cls,
        folder: Path,
        asked: Mapping[str, Any],
        windows: Callable[[], Sequence[Window | None]],
        name: str,
    ) -> Self:
        """Open the journal of what is asked for, or begin it.

        `asked` is plain data. `windows` is called for a new journal only. `name` is what messages
        call the output. Raises `OutputTakenError` if another run owns the folder, and `OutputError`
        if its journal is that of another request.
        """
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: {error.strerror}") from error
        path = folder / NAME
        descriptor = claim(path, _NEW_FILE, name)
        try:
            lines = _lines(descriptor)
            if not lines:
                found = windows()
                journal = cls(folder, descriptor, found)
                journal._write({"version": _VERSION, **asked, "windows": _shown(found)})
                _sync(folder)
                return journal
            first, *others = lines
            _check(first, asked, path)
            journal = cls(folder, descriptor, _read(first["windows"]))
            for line in others:
                journal._entries[line["window"]] = _entry(line)
        except BaseException as error:
            _drop_if_empty(folder, descriptor)
            os.close(descriptor)
            if isinstance(error, KeyError | TypeError | IndexError | AttributeError):
                raise OutputError(
                    f"{path} cannot be read: remove it, or use another output"
                ) from error
            raise
        return journal

    def close(self) -> None:
        """Release the folder. Remove it if there is nothing that a later run could use."""
        if all(entry.export_id is None for entry in self._entries):
            os.ftruncate(self._file, 0)
        _drop_if_empty(self._folder, self._file)
        os.close(self._file)

    def __getitem__(self, number: int) -> Entry:
        return self._entries[number]

    def note_job(self, number: int, export_id: str | None) -> None:
        """Note the job of a window; `None` if it is not to be used any more."""
        self._note(number, Entry(export_id=export_id))

    def note_file(self, number: int, job: Job, checked: Checked) -> None:
        """Note that the file of a window is there."""
        self._note(number, Entry(export_id=job.export_id, job=job, checked=checked))

    def remove(self, files: Sequence[Path]) -> None:
        """Remove files of the folder, the journal as the last, and the folder if it is empty then.

        A run that is killed in between leaves the jobs' ids.
        """
        for path in files:
            path.unlink(missing_ok=True)
        os.ftruncate(self._file, 0)
        _drop_if_empty(self._folder, self._file)

    def _note(self, number: int, entry: Entry) -> None:
        self._entries[number] = entry
        line: dict[str, Any] = {"window": number, "exportId": entry.export_id}
        if entry.job is not None and entry.checked is not None:
            job = entry.job
            line["job"] = {
                "format": job.format,
                "records": job.records,
                "bytes": job.file_size,
                "checksum": job.checksum,
            }
            line["checked"] = asdict(entry.checked)
        self._write(line)

    def _write(self, line: Mapping[str, Any]) -> None:
        content = memoryview(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        while content:
            content = content[os.write(self._file, content) :]
        os.fsync(self._file)


def _lines(descriptor: int) -> list[dict[str, Any]]:
    """Return the lines of a journal. Cut off what a crash has left of another one."""
    content = b""
    while piece := os.read(descriptor, 1 << 20):
        content += piece
    whole = content.rfind(b"\n") + 1
    os.ftruncate(descriptor, whole)
    os.lseek(descriptor, whole, os.SEEK_SET)
    try:
        return [json.loads(line) for line in content[:whole].splitlines()]
    except ValueError as error:
        raise TypeError("it is no JSON") from error


def _drop_if_empty(folder: Path, descriptor: int) -> None:
    """Remove an empty journal that this run owns, and its folder if nothing else is in there."""
    path = folder / NAME
    with contextlib.suppress(OSError):
        if os.fstat(descriptor).st_size == 0 and is_at(descriptor, path):
            path.unlink()
            folder.rmdir()


def _check(first: Mapping[str, Any], asked: Mapping[str, Any], path: Path) -> None:
    """Raise `OutputError` if a journal is that of another request."""
    asked = {"version": _VERSION, **json.loads(json.dumps(asked))}
    others = [name for name, value in asked.items() if first.get(name) != value]
    if others:
        raise OutputError(
            f"{path.parent} has the windows of another extract, with another "
            f"{', '.join(others)}: remove the folder, or use another output"
        )


def _entry(line: Mapping[str, Any]) -> Entry:
    export_id = line["exportId"]
    if "job" not in line:
        return Entry(export_id=export_id)
    job = line["job"]
    return Entry(
        export_id=export_id,
        job=Job(
            export_id=export_id,
            status=State.COMPLETED,
            format=job["format"],
            records=job["records"],
            file_size=job["bytes"],
            checksum=job["checksum"],
        ),
        checked=Checked(**line["checked"]),
    )


def _shown(windows: Sequence[Window | None]) -> list[str | None]:
    return [None if window is None else str(window) for window in windows]


def _read(windows: Sequence[str | None]) -> list[Window | None]:
    return [None if text is None else _window(Period.of(text)) for text in windows]


def _window(period: Period) -> Window:
    if period.end is None:
        raise TypeError("a window has no end")
    return Window(period.start, period.end)


def _sync(folder: Path) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
