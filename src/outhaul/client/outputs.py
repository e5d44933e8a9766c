"""What a path of an output names: a file to publish, or something that is written through.

Whatever is no regular file is never replaced: a FIFO, a terminal or `/dev/null` gets the bytes as a
stream. What takes no stream of bytes is refused.
"""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

from outhaul.client.partial import OutputError
from outhaul.client.sinks import FileSink, StreamSink

_MOST_LINKS = 40
_READER_SECONDS = 0.1
_REFUSED = {
    stat.S_IFDIR: "a folder",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a block device",
}


def _quiet(_line: str) -> None:
    pass


def _no_limit() -> None:
    pass


def open_output(
    path: str | Path,
    *,
    notice: Callable[[str], None] = _quiet,
    pause: Callable[[float], None] = time.sleep,
    check: Callable[[], None] = _no_limit,
) -> FileSink | StreamSink:
    """Return the sink of an output. Enter its context before the job is made.

    A symbolic link is followed, and stays. A FIFO is opened when it has a reader; `notice` gets a
    line of text if it has none yet. `pause` waits for some seconds, and `check` is called while a
    reader reads nothing; both may raise to end that. Raises `OutputError` for an output that cannot
    be written, and other `OSError`s.
    """
    name = os.fspath(path)
    descriptor = _descriptor(name)
    if descriptor is not None:
        return _descriptor_sink(descriptor, name)
    try:
        found = os.stat(name)  # noqa: PTH116 - `Path` drops a slash at the end
    except FileNotFoundError:
        return FileSink(_new_file(name), name)
    except OSError as error:
        raise OutputError(f"{name}: {error.strerror}") from error
    refused = _REFUSED.get(stat.S_IFMT(found.st_mode))
    if refused is not None:
        raise OutputError(f"{name} is {refused}")
    if stat.S_ISREG(found.st_mode):
        return FileSink(Path(os.path.realpath(name)), name)
    return _stream_sink(name, notice, pause, check)


def is_standard_output(path: str) -> bool:
    """Return whether a path names the standard output of this process: `-`, `/dev/stdout`."""
    return path == "-" or _descriptor(path) == 1


def is_descriptor(path: str) -> bool:
    """Return whether a path names an open descriptor of this process, such as `/dev/stdout`."""
    return _descriptor(path) is not None


def _new_file(name: str) -> Path:
    if not name or name.endswith(os.sep):
        raise OutputError(f"{name!r} is a folder")
    # The file that a link without a target names is made, as a shell does.
    target = Path(os.path.realpath(name))
    if not target.parent.is_dir():
        raise OutputError(f"there is no folder {target.parent}")
    return target


def _descriptor(name: str) -> int | None:
    """Return N if the path is `/dev/fd/N`, or a link to such a path such as `/dev/stdout`.

    The file behind it must not be replaced, even if it is a regular one: a shell opened it, perhaps
    to append to it.
    """
    folders = ("/dev/fd", f"/proc/{os.getpid()}/fd")
    for _ in range(_MOST_LINKS):
        folder, last = os.path.split(os.path.abspath(name))  # noqa: PTH100 - keeps links
        folder = os.path.realpath(folder)
        if folder in folders and last.isascii() and last.isdigit():
            return int(last)
        name = os.path.join(folder, last)  # noqa: PTH118 - as above
        try:
            name = os.path.join(folder, os.readlink(name))  # noqa: PTH115, PTH118 - as above
        except OSError:
            return None
    return None


def _descriptor_sink(descriptor: int, name: str) -> StreamSink:
    try:
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        copy = os.dup(descriptor)
    except (OSError, OverflowError) as error:
        raise OutputError(f"{name} is not open") from error
    if flags & os.O_ACCMODE == os.O_RDONLY:
        os.close(copy)
        raise OutputError(f"{name} is open for reading only")
    return StreamSink(open(copy, "wb", buffering=0), name)  # noqa: PTH123 - the sink closes it


def _stream_sink(
    name: str,
    notice: Callable[[str], None],
    pause: Callable[[float], None],
    check: Callable[[], None],
) -> StreamSink:
    has_waited = False
    while True:
        try:
            descriptor = os.open(name, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.ENXIO or not stat.S_ISFIFO(os.stat(name).st_mode):  # noqa: PTH116
                raise OutputError(f"{name}: {error.strerror}") from error
            if not has_waited:
                notice(f"waiting for a reader of {name}")
                has_waited = True
            pause(_READER_SECONDS)
            continue
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OutputError(f"{name} has become a regular file")
        stream = open(descriptor, "wb", buffering=0)  # noqa: SIM115, PTH123 - the sink closes it
        return StreamSink(stream, name, check=check)
