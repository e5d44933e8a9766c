"""Downloads of large files over several connections: which ranges are asked for, and what if."""

import json
import random
import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.downloads import CSV, FILE, PATH, Breaking, Fetch, job_of

from outhaul.client import DownloadError, Job, Parallel, download_into, open_output
from outhaul.client.partial import Span
from outhaul.client.ranges import gaps
from outhaul.protocol.ranges import parse_range

PARALLEL = Parallel(connections=4, large_bytes=50_000, range_bytes=20_000, slow_seconds=0)
SIZE = len(FILE)
BUSY = {"success": False, "errors": [{"code": "615", "message": "Concurrent access limit reached"}]}


class Endpoint:
    """Serves a file in ranges to several threads; knows how many there were at once."""

    def __init__(self, file: bytes = FILE, *, at_once: int = 99, tag: str = "") -> None:
        self.file = file
        self.at_once = at_once
        self.tag = tag
        self.breaks: Iterator[int] = iter(())
        """After how many bytes answers break off."""
        self.stuck = SIZE
        """The byte where each answer that has it breaks off."""
        self.headers: dict[str, str] = {}
        self.ignores_ranges = False
        self.asked: list[str] = []
        self.tags: list[str | None] = []
        self.now = self.most = self.refused = 0
        self.lock = threading.Lock()

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/identity/oauth/token":
            return httpx2.Response(200, json={"access_token": "t", "expires_in": 3600})
        with self.lock:
            if self.now >= self.at_once:
                self.refused += 1
                return httpx2.Response(200, json=BUSY)
            self.now += 1
            self.most = max(self.most, self.now)
            self.asked.append(asked := request.headers.get("Range", ""))
            self.tags.append(request.headers.get("If-Range"))
            after = next(self.breaks, SIZE)
            file, tag = self.file, self.tag
        if self.ignores_ranges or self.tags[-1] not in (None, tag):
            asked = ""
        begin, end = parse_range(asked or None, len(file)) or (0, len(file))
        headers = {**CSV, "Content-Range": f"bytes {begin}-{end - 1}/{len(file)}", "ETag": tag}
        if begin <= self.stuck < end:
            after = self.stuck - begin
        status = 206 if asked else 200
        body = Counted(self, Breaking(file[begin:end], after))
        return httpx2.Response(status, headers={**headers, **self.headers}, stream=body)


class Counted(httpx2.SyncByteStream):
    """A body that is at work until it is closed."""

    def __init__(self, endpoint: Endpoint, body: Breaking) -> None:
        self.endpoint = endpoint
        self.body = body
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.body)

    def close(self) -> None:
        with self.endpoint.lock:
            self.endpoint.now -= not self.closed
            self.closed = True


@pytest.fixture
def fetch(tmp_path: Path) -> Fetch:
    return Fetch(tmp_path)


def run(fetch: Fetch, endpoint: Endpoint, job: Job, parallel: Parallel = PARALLEL) -> bytes:
    with fetch.session(endpoint) as session, open_output(fetch.target) as output:
        download_into(session, PATH, job, output, fetch.seen.append, parallel=parallel)
    return fetch.target.read_bytes()


def ranges(endpoint: Endpoint) -> list[str]:
    return sorted(endpoint.asked, key=lambda asked: int(asked[6:].partition("-")[0] or 0))


EACH = [f"bytes={begin}-{begin + 19_999}" for begin in range(0, SIZE, 20_000)]


def test_a_large_file_is_fetched_in_ranges(fetch: Fetch) -> None:
    endpoint = Endpoint()
    assert run(fetch, endpoint, job_of(FILE)) == FILE
    assert ranges(endpoint) == EACH
    assert endpoint.most <= 4
    assert fetch.left == ["leads.csv"]
    assert fetch.seen == sorted(fetch.seen)
    assert fetch.seen[-1] == SIZE


@pytest.mark.parametrize("parallel", [replace(PARALLEL, connections=1), Parallel()])
def test_one_connection_asks_for_no_range(fetch: Fetch, parallel: Parallel) -> None:
    endpoint = Endpoint()
    assert run(fetch, endpoint, job_of(FILE), parallel) == FILE
    assert endpoint.asked == [""]


@pytest.mark.parametrize("checksum", [True, False])
@pytest.mark.parametrize(
    ("seconds_a_piece", "is_slow"), [(0.02, True), (0.01, False), (0.0, False)]
)
def test_several_connections_are_for_a_slow_one(
    fetch: Fetch, seconds_a_piece: float, is_slow: bool, checksum: bool
) -> None:
    # A piece has 1,000 of the 300,000 bytes: at 0.02 s each, the rest takes 5 s after a second.
    endpoint, parallel = Endpoint(tag='"v1"'), replace(PARALLEL, slow_seconds=4.0)

    def clock() -> float:
        return len(fetch.seen) * seconds_a_piece

    job = job_of(FILE, checksum=checksum)
    with fetch.session(endpoint, clock) as session, open_output(fetch.target) as output:
        download_into(session, PATH, job, output, fetch.seen.append, parallel=parallel)
    assert fetch.target.read_bytes() == FILE
    assert endpoint.asked[0] == ""
    if is_slow:
        assert endpoint.asked[1] == "bytes=50000-69999"
        assert len(endpoint.asked) == 1 + 13
    else:
        assert endpoint.asked == [""]


def test_a_file_has_a_bounded_number_of_ranges(fetch: Fetch) -> None:
    endpoint = Endpoint()
    assert run(fetch, endpoint, job_of(FILE), replace(PARALLEL, most_ranges=3)) == FILE
    assert len(endpoint.asked) == 3


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("checksum", [True, False])
def test_broken_connections(fetch: Fetch, seed: int, checksum: bool) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    endpoint = Endpoint(tag='"v1"')
    # Which connection meets which break is up to the threads. A call is made four times, so that
    # three breaks without a byte never end it.
    breaks = [0] * 3 + [chance.choice([1, 7000, 19_999, SIZE]) for _ in range(57)]
    chance.shuffle(breaks)
    endpoint.breaks = iter(breaks)
    assert run(fetch, endpoint, job_of(FILE, checksum=checksum)) == FILE
    assert fetch.left == ["leads.csv"]


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_an_endpoint_that_limits_calls_gets_fewer(fetch: Fetch, at_once: int) -> None:
    endpoint = Endpoint(at_once=at_once)
    assert run(fetch, endpoint, job_of(FILE)) == FILE
    assert endpoint.most <= at_once
    # A connection that was refused ends; it is not opened again and again.
    assert endpoint.refused <= 4


def test_an_endpoint_that_ignores_ranges(fetch: Fetch) -> None:
    endpoint = Endpoint()
    endpoint.ignores_ranges = True
    assert run(fetch, endpoint, job_of(FILE)) == FILE
    assert endpoint.asked == ["bytes=0-19999", ""]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Range": f"bytes 1-20000/{SIZE}"},
        {"Content-Range": f"bytes 0-19998/{SIZE}"},
        {"Content-Range": f"bytes 0-19999/{SIZE + 1}"},
        {"Content-Range": "bytes 0-19999/*"},
        {"Content-Range": "some"},
        {"Content-Encoding": "br"},
    ],
)
def test_other_answers_than_the_range(fetch: Fetch, headers: dict[str, str]) -> None:
    endpoint = Endpoint()

    def answer(request: httpx2.Request) -> httpx2.Response:
        endpoint.headers = headers if "Range" in request.headers else {}
        return endpoint(request)

    with fetch.session(answer) as session, open_output(fetch.target) as output:
        download_into(session, PATH, job_of(FILE), output, parallel=PARALLEL)
    assert fetch.target.read_bytes() == FILE
    assert endpoint.asked == ["bytes=0-19999", ""]


def test_ranges_of_a_file_without_checksum_and_version_are_not_joined(fetch: Fetch) -> None:
    endpoint = Endpoint()
    assert run(fetch, endpoint, job_of(FILE, checksum=False)) == FILE
    assert endpoint.asked == ["bytes=0-19999", ""]


def test_versions_are_not_mixed(fetch: Fetch) -> None:
    endpoint = Endpoint(tag='"v1"')

    def answer(request: httpx2.Request) -> httpx2.Response:
        if len(endpoint.asked) == 5:
            endpoint.file, endpoint.tag = FILE[::-1], '"v2"'
        return endpoint(request)

    with fetch.session(answer) as session, open_output(fetch.target) as output:
        download_into(session, PATH, job_of(FILE, checksum=False), output, parallel=PARALLEL)
    assert fetch.target.read_bytes() == FILE[::-1]
    assert endpoint.tags[0] is None
    assert '"v1"' in endpoint.tags


def test_wrong_bytes_are_fetched_once_more(fetch: Fetch) -> None:
    endpoint = Endpoint(FILE[::-1])

    def answer(request: httpx2.Request) -> httpx2.Response:
        if not request.headers.get("Range") and request.url.path == PATH:
            endpoint.file = FILE
        return endpoint(request)

    with fetch.session(answer) as session, open_output(fetch.target) as output:
        download_into(session, PATH, job_of(FILE), output, parallel=PARALLEL)
    assert fetch.target.read_bytes() == FILE
    assert endpoint.asked[-1] == ""


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("checksum", [True, False])
def test_ranges_of_an_earlier_run_are_not_fetched_again(
    fetch: Fetch, connections: int, checksum: bool
) -> None:
    job = job_of(FILE, checksum=checksum)
    endpoint = Endpoint(tag='"v1"')
    endpoint.stuck = 125_000
    with pytest.raises(DownloadError, match="job-1 broke off at 125000"):
        run(fetch, endpoint, job)
    assert fetch.left == ["leads.csv.part", "leads.csv.part.json"]
    label = json.loads(fetch.target.with_name("leads.csv.part.json").read_text())
    there = sum(end - begin for begin, end in label["ranges"])
    assert there >= 125_000
    again = Endpoint(tag='"v1"')
    assert run(fetch, again, job, replace(PARALLEL, connections=connections)) == FILE
    asked = [text[6:].split("-") for text in again.asked]
    # A single range that is there is continued over one connection.
    assert sum(int(last or SIZE - 1) + 1 - int(first) for first, last in asked) == SIZE - there
    assert fetch.left == ["leads.csv"]


def test_a_killed_run_is_continued_wherever_it_was(fetch: Fetch, tmp_path: Path) -> None:
    job = job_of(FILE, checksum=False)
    fetch.target = tmp_path / "one" / "leads.csv"
    fetch.target.parent.mkdir()
    killed: list[Path] = []

    def kill(_received: int) -> None:
        folder = tmp_path / f"killed-{len(killed)}"
        shutil.copytree(fetch.target.parent, folder)
        killed.append(folder)

    chance = random.Random(1)  # noqa: S311 - no secret
    endpoint = Endpoint(tag='"v1"')
    endpoint.breaks = iter([chance.choice([1000, 19_000, SIZE]) for _ in range(60)])
    with fetch.session(endpoint) as session, open_output(fetch.target) as output:
        download_into(session, PATH, job, output, kill, parallel=PARALLEL)
    for folder in killed:
        fetch.target = folder / "leads.csv"
        assert run(fetch, Endpoint(tag='"v1"'), job) == FILE
        assert fetch.left == ["leads.csv"]


@pytest.mark.parametrize(
    "spans",
    ["x", [[0]], [[0, 1, 2]], [[5, 3]], [[3, 5], [4, 6]], [["a", 1]], [[0, 1e400]], 7, {"a": 1}],
)
def test_a_label_with_odd_ranges_names_no_job(fetch: Fetch, spans: object) -> None:
    job = job_of(FILE)
    endpoint = Endpoint()
    endpoint.stuck = 25_000
    with pytest.raises(DownloadError):
        run(fetch, endpoint, job)
    label = fetch.target.with_name("leads.csv.part.json")
    label.write_text(json.dumps({**json.loads(label.read_text()), "ranges": spans}))
    again = Endpoint()
    assert run(fetch, again, job) == FILE
    assert ranges(again) == EACH


def test_an_interrupt_ends_the_writing_at_once(fetch: Fetch) -> None:
    go_on = threading.Event()
    endpoint = Endpoint()

    class Slow(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield FILE[20_000:20_100]
            go_on.wait()
            yield FILE[20_100:40_000]

    def answer(request: httpx2.Request) -> httpx2.Response:
        response = endpoint(request)
        if request.headers.get("Range") == EACH[1]:
            return httpx2.Response(206, headers=response.headers, stream=Slow())
        return response

    def interrupt(received: int) -> None:
        if received >= 100_000:
            raise KeyboardInterrupt

    with (
        fetch.session(answer) as session,
        pytest.raises(KeyboardInterrupt),
        open_output(fetch.target) as output,
    ):
        download_into(session, PATH, job_of(FILE), output, interrupt, parallel=PARALLEL)
    part = fetch.target.with_name("leads.csv.part")
    before = part.read_bytes()
    go_on.set()
    for thread in threading.enumerate():
        if thread.name == "range":
            thread.join()
    assert part.read_bytes() == before
    assert before[20_100:40_000] == bytes(19_900)


SPANS = st.lists(st.integers(0, 200), max_size=12, unique=True).map(
    lambda ends: [
        Span(begin, end) for begin, end in zip(sorted(ends)[::2], sorted(ends)[1::2], strict=False)
    ]
)


@given(SPANS, st.integers(1, 50), st.integers(1, 20))
def test_ranges_fill_the_gaps(there: Sequence[Span], length: int, most: int) -> None:
    size = 200
    parallel = Parallel(range_bytes=length, most_ranges=most)
    asked = parallel.ranges(size, there)
    filled = sorted([*asked, *there])
    assert [at for span in filled for at in range(*span)] == list(range(size))
    assert all(span.begin < span.end for span in asked)
    assert len(asked) <= most + len(list(gaps(size, there)))
