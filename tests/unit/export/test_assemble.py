import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from outhaul.export import render as rendering_module
from outhaul.export.assemble import PartLostError, assemble
from outhaul.export.executor import StoppedError
from outhaul.export.formats import CSV
from outhaul.export.local import LocalExecutor
from outhaul.export.output import Output
from outhaul.export.plan import PartTask, Plan
from outhaul.lake.snapshot import Lake
from outhaul.reading.reading import PlannedPart, Reading
from outhaul.storage.folder import FolderStore
from outhaul.storage.manifest import Manifest, Part
from outhaul.storage.store import READ_BYTES, Writable

LAKE = Lake(Path("no lake is needed"))
THREADS = 3
WAIT = 30
"""Seconds after which a test that hangs fails; none of them waits so long."""

Check = Callable[[], None]
Render = Callable[[PartTask, Lake, Writable, Check], int]


@pytest.fixture
def files(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


@pytest.fixture
def executor(files: FolderStore) -> Iterator[LocalExecutor]:
    made = LocalExecutor(files, THREADS)
    yield made
    made.close()


@pytest.fixture
def rendering(monkeypatch: pytest.MonkeyPatch) -> Callable[[Render], None]:
    """Render parts by another function."""
    return lambda render: monkeypatch.setattr(rendering_module, "render_part", render)


Rendering = Callable[[Render], None]


def plan_of(parts: int) -> Plan:
    return Plan(
        reading=Reading(
            table="activities",
            version=0,
            columns={},
            order=(),
            clauses=[],
            parts=[PlannedPart(partitions=[])] * parts,
        ),
        output=Output(fields=[], headers=["h"], format=CSV, stand_ins={}),
    )


def content(number: int) -> bytes:
    return f"part {number}\n".encode() * (number % 4 * 1_000)


def render_content(task: PartTask, lake: Lake, target: Writable, check: Check) -> int:  # noqa: ARG001
    check()
    target.write(content(task.number))
    return task.number


def on_disk(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def run(  # noqa: PLR0913 - what differs between the tests
    executor: LocalExecutor,
    files: FolderStore,
    parts: int,
    prefix: str = "job/a",
    *,
    as_one: bool = False,
    publish: Callable[[Part], None] = lambda _: None,
) -> Manifest:
    return assemble(
        plan_of(parts),
        LAKE,
        prefix=prefix,
        files=files,
        executor=executor,
        stop=threading.Event(),
        as_one=as_one,
        publish=publish,
    )


@pytest.mark.parametrize("parts", [1, 2, 5, 40])
def test_the_checksum_is_that_of_the_parts_one_after_the_other(
    executor: LocalExecutor, files: FolderStore, rendering: Rendering, parts: int
) -> None:
    rendering(render_content)
    manifest = run(executor, files, parts)
    whole = b"".join(content(n) for n in range(parts))
    assert manifest.checksum == hashlib.sha256(whole).hexdigest()
    assert (manifest.size, manifest.records) == (len(whole), sum(range(parts)))
    assert [part.number for part in manifest.parts] == list(range(parts))
    keys = [part.key for part in manifest.parts]
    assert keys == sorted(set(keys))
    assert all(key.startswith("job/a/") for key in keys)
    read = [files.read(part.key, 0, part.size) for part in manifest.parts if part.size]
    assert b"".join(read) == whole


def test_a_part_larger_than_one_read_is_hashed_whole(
    executor: LocalExecutor, files: FolderStore, rendering: Rendering
) -> None:
    large = bytes(range(256)) * (3 * READ_BYTES // 256) + b"end"

    def render(task: PartTask, lake: Lake, target: Writable, check: Check) -> int:  # noqa: ARG001
        target.write(large)
        return 1

    rendering(render)
    assert run(executor, files, 2).checksum == hashlib.sha256(large * 2).hexdigest()


@pytest.mark.parametrize("parts", [1, 2, 5, 40])
def test_a_file_that_is_wanted_as_one_has_the_same_bytes_in_one_part(
    executor: LocalExecutor, files: FolderStore, rendering: Rendering, parts: int
) -> None:
    rendering(render_content)
    expected = run(executor, files, parts, "job/a")
    manifest = run(executor, files, parts, "job/b", as_one=True)
    assert (manifest.checksum, manifest.size, manifest.records) == (
        expected.checksum,
        expected.size,
        expected.records,
    )
    (part,) = manifest.parts
    assert part.key.startswith("job/b/")
    assert b"".join(files.read_back(part.key, part.size)) == b"".join(map(content, range(parts)))


def test_a_file_that_cannot_be_put_together_leaves_nothing_of_it(
    executor: LocalExecutor, files: FolderStore, rendering: Rendering, tmp_path: Path
) -> None:
    def render(task: PartTask, lake: Lake, target: Writable, check: Check) -> int:
        if task.number == 7:
            raise ZeroDivisionError
        return render_content(task, lake, target, check)

    rendering(render)
    with pytest.raises(ZeroDivisionError):
        run(executor, files, 10, as_one=True)
    assert not [path for path in on_disk(tmp_path) if "parts" not in path.parts]
    files.delete("job/a")
    assert on_disk(tmp_path) == []


def test_without_parts_the_header_is_the_file(executor: LocalExecutor, files: FolderStore) -> None:
    manifest = run(executor, files, 0)
    assert (manifest.records, manifest.checksum) == (0, hashlib.sha256(b"h\n").hexdigest())


def test_parts_come_in_order_however_they_are_done(
    executor: LocalExecutor, files: FolderStore, rendering: Rendering
) -> None:
    later_ones_done = threading.Event()

    def render(task: PartTask, lake: Lake, target: Writable, check: Check) -> int:
        if task.number == 0:
            assert later_ones_done.wait(WAIT)
        if task.number == 2:
            later_ones_done.set()
        return render_content(task, lake, target, check)

    rendering(render)
    manifest = run(executor, files, 10)
    assert [part.number for part in manifest.parts] == list(range(10))


def test_a_job_is_not_rendered_far_ahead_of_who_reads_it(
    executor: LocalExecutor, files: FolderStore, rendering: Rendering
) -> None:
    begun = []

    def render(task: PartTask, lake: Lake, target: Writable, check: Check) -> int:
        begun.append(task.number)
        return render_content(task, lake, target, check)

    rendering(render)

    def give_up(part: Part) -> None:
        raise ZeroDivisionError(part.number)

    with pytest.raises(ZeroDivisionError):
        run(executor, files, 100, publish=give_up)
    assert len(begun) <= 2 * THREADS + 1


def test_stop_is_obeyed_and_nothing_is_written_after_it(
    executor: LocalExecutor, files: FolderStore, rendering: Rendering, tmp_path: Path
) -> None:
    stop, all_busy = threading.Event(), threading.Barrier(THREADS + 1)
    begun = []

    def render(task: PartTask, lake: Lake, target: Writable, check: Check) -> int:  # noqa: ARG001
        begun.append(task.number)
        target.write(bytes(20 * READ_BYTES))
        all_busy.wait(WAIT)
        while True:
            stop.wait(WAIT)
            check()

    rendering(render)

    def attempt() -> None:
        with pytest.raises(StoppedError):
            assemble(plan_of(50), LAKE, prefix="job/a", files=files, executor=executor, stop=stop)

    running = threading.Thread(target=attempt)
    running.start()
    all_busy.wait(WAIT)
    stop.set()
    running.join(WAIT)
    assert not running.is_alive()
    assert sorted(begun) == list(range(THREADS))
    assert on_disk(tmp_path) == []


def test_stop_ends_the_hashing_too(
    executor: LocalExecutor, files: FolderStore, rendering: Rendering
) -> None:
    stop = threading.Event()

    def render(task: PartTask, lake: Lake, target: Writable, check: Check) -> int:  # noqa: ARG001
        target.write(b"all of it")
        stop.set()
        return 1

    rendering(render)
    with pytest.raises(StoppedError):
        assemble(plan_of(1), LAKE, prefix="job/a", files=files, executor=executor, stop=stop)


def test_an_error_in_a_part_surfaces_when_the_others_have_ended(
    executor: LocalExecutor, files: FolderStore, rendering: Rendering, tmp_path: Path
) -> None:
    failed = threading.Event()
    begun, ended = set(), set()

    def render(task: PartTask, lake: Lake, target: Writable, check: Check) -> int:
        begun.add(task.number)
        try:
            if task.number == 1:
                failed.set()
                raise ZeroDivisionError(f"part {task.number}")
            if task.number == 2:
                assert failed.wait(WAIT)
                threading.Event().wait(0.3)  # at work still, when the error is known
            return render_content(task, lake, target, check)
        finally:
            ended.add(task.number)

    rendering(render)
    with pytest.raises(ZeroDivisionError, match="part 1"):
        run(executor, files, 50)
    assert {0, 1, 2} <= begun == ended
    assert len(begun) < 50
    files.delete("job/a")
    assert on_disk(tmp_path) == []
    rendering(render_content)
    assert len(run(executor, files, 5).parts) == 5, "the threads go on"


def test_closing_waits_until_nothing_is_written(
    executor: LocalExecutor, files: FolderStore, rendering: Rendering
) -> None:
    closing = threading.Event()
    at_work = set()

    def render(task: PartTask, lake: Lake, target: Writable, check: Check) -> int:
        at_work.add(task.number)
        try:
            if task.number > 0:
                closing.wait(WAIT)
            return render_content(task, lake, target, check)
        finally:
            at_work.remove(task.number)

    rendering(render)

    def give_up(part: Part) -> None:
        closing.set()
        raise ZeroDivisionError(part.number)

    with pytest.raises(ZeroDivisionError):
        run(executor, files, 50, publish=give_up)
    assert at_work == set()


def test_a_part_that_fails_leaves_nothing_readable(
    executor: LocalExecutor, files: FolderStore, rendering: Rendering, tmp_path: Path
) -> None:
    def render(task: PartTask, lake: Lake, target: Writable, check: Check) -> int:  # noqa: ARG001
        for _ in range(20):
            target.write(bytes(READ_BYTES))
        raise ZeroDivisionError

    rendering(render)
    with pytest.raises(ZeroDivisionError):
        run(executor, files, 1)
    assert on_disk(tmp_path) == []


def test_jobs_share_the_threads(
    executor: LocalExecutor, files: FolderStore, rendering: Rendering
) -> None:
    most, busy = 0, 0
    lock = threading.Lock()

    def render(task: PartTask, lake: Lake, target: Writable, check: Check) -> int:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        done = render_content(task, lake, target, check)
        with lock:
            busy -= 1
        return done

    rendering(render)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda n: run(executor, files, 20, f"job{n}/a"), range(4)))
    assert len({manifest.checksum for manifest in made}) == 1
    assert len({part.key for manifest in made for part in manifest.parts}) == 80
    assert most <= THREADS


def test_parts_that_are_done_are_hashed_and_not_rendered_again(
    executor: LocalExecutor, files: FolderStore, rendering: Rendering
) -> None:
    rendering(render_content)
    before = run(executor, files, 6)
    rendered: list[int] = []

    def render(task: PartTask, lake: Lake, target: Writable, check: Check) -> int:
        rendered.append(task.number)
        return render_content(task, lake, target, check)

    rendering(render)
    kept: list[int] = []
    manifest = assemble(
        plan_of(6),
        LAKE,
        prefix="job/b",
        files=files,
        executor=executor,
        stop=threading.Event(),
        done=[before.parts[n] for n in (0, 1, 4)],
        publish=lambda part: kept.append(part.number),
    )
    assert sorted(rendered) == kept == [2, 3, 5]
    assert manifest.checksum == before.checksum
    assert [part.key.partition("/")[2][0] for part in manifest.parts] == list("aabbab")


def test_a_part_that_is_done_and_cannot_be_read_is_said_to_be_lost(
    executor: LocalExecutor, files: FolderStore, rendering: Rendering
) -> None:
    rendering(render_content)
    before = run(executor, files, 3)
    (files._folder / before.parts[1].key).unlink()
    with pytest.raises(PartLostError, match="part 1 of an earlier attempt"):
        assemble(
            plan_of(3),
            LAKE,
            prefix="job/b",
            files=files,
            executor=executor,
            stop=threading.Event(),
            done=before.parts,
        )
