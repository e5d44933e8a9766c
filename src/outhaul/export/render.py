"""Rendering one part: from files of the lake to the bytes of an export file."""

from collections.abc import Callable

from outhaul.export.plan import PartTask
from outhaul.lake.snapshot import Lake
from outhaul.reading.scan import read_batches
from outhaul.storage.manifest import Part
from outhaul.storage.store import FileStore, Writable


def render_part(task: PartTask, lake: Lake, target: Writable, check: Callable[[], None]) -> int:
    """Write a part to `target` and return the number of its records.

    `check` is called between batches, and may raise to stop. Raises `LakeError`.
    """
    output = task.output
    records = 0
    with output.format.part(target) as content:
        if task.number == 0:
            content.write(output.format.header(output.headers))
        for number in range(len(task.reading.parts)):
            for batch in read_batches(task.reading, number, lake, output.cells, check):
                records += batch.height
                output.format.batch(batch, output.headers, content)
        if task.is_last:
            content.write(output.format.footer())
    return records


def store_part(  # noqa: PLR0913 - reading, writing and stopping need two arguments each
    task: PartTask,
    lake: Lake,
    files: FileStore,
    key: str,
    check: Callable[[], None],
    *,
    cached: bool,
) -> Part:
    """Render a part and store it under `key`.

    `cached` says that this process will read the part back.
    """
    media_type = task.output.format.media_type
    with files.writer(key, media_type=media_type, cached=cached) as target:
        counted = _Counted(target.write)
        records = render_part(task, lake, counted, check)
    return Part(number=task.number, key=key, size=counted.size, records=records)


class _Counted:
    """A target that counts the bytes."""

    def __init__(self, write: Callable[[bytes], int]) -> None:
        self._write = write
        self.size = 0

    def write(self, content: bytes, /) -> int:
        self.size += len(content)
        self._write(content)
        return len(content)
