from pathlib import Path

import httpx2
import pytest
from tests.support.downloads import CSV, FILE, PATH, Breaking, Fetch, job_of

from outhaul.client import (
    ChecksumError,
    DownloadError,
    FileMissingError,
    Job,
    ProtocolError,
)
from outhaul.protocol.ranges import ByteRange, UnsatisfiableRangeError, parse_range
from outhaul.protocol.states import State


class Endpoint:
    """Serves a file, in ranges too; `breaks` are the bytes after which its answers break off."""

    def __init__(self, file: bytes = FILE, *, ranges: bool = True) -> None:
        self.file = file
        self.ranges = ranges
        self.breaks: list[int] = []
        self.instead: list[httpx2.Response | None] = []
        self.asked: list[str | None] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/identity/oauth/token":
            return httpx2.Response(200, json={"access_token": "t", "expires_in": 3600})
        assert request.url.path == PATH
        self.asked.append(request.headers.get("Range"))
        if self.instead and (instead := self.instead.pop(0)) is not None:
            return instead
        size = len(self.file)
        try:
            span = parse_range(self.asked[-1] if self.ranges else None, size)
        except UnsatisfiableRangeError:
            return httpx2.Response(416, headers={"Content-Range": f"bytes */{size}"})
        first, end = span or ByteRange(0, size)
        headers = {**CSV, "Content-Length": str(end - first)}
        if span:
            headers["Content-Range"] = span.content_range(size)
        after = self.breaks.pop(0) if self.breaks else size
        stream = Breaking(self.file[first:end], after)
        return httpx2.Response(206 if span else 200, headers=headers, stream=stream)


@pytest.fixture
def fetch(tmp_path: Path) -> Fetch:
    return Fetch(tmp_path)


def break_off(fetch: Fetch, job: Job, after: int, file: bytes = FILE) -> None:
    """Leave a `.part` behind, as a run that was given up does."""
    endpoint = Endpoint(file)
    endpoint.breaks = [after, 0, 0, 0, 0, 0]
    with pytest.raises(DownloadError):
        fetch(endpoint, job)


def test_whole_file(fetch: Fetch) -> None:
    endpoint = Endpoint()
    assert fetch(endpoint, job_of(FILE)) == FILE
    assert endpoint.asked == [None]
    assert fetch.left == ["leads.csv"]
    assert fetch.seen == sorted(fetch.seen)
    assert fetch.seen[-1] == len(FILE)


def test_what_was_at_the_target_is_replaced(fetch: Fetch) -> None:
    fetch.target.write_text("last month's")
    assert fetch(Endpoint(), job_of(FILE)) == FILE


def test_broken_connection_is_resumed(fetch: Fetch) -> None:
    endpoint = Endpoint()
    endpoint.breaks = [70_500, 1, 0, 100_000]
    assert fetch(endpoint, job_of(FILE)) == FILE
    assert endpoint.asked == [
        None,
        "bytes=70500-",
        "bytes=70501-",
        "bytes=70501-",
        "bytes=170501-",
    ]


def test_patience_begins_anew_with_every_byte(fetch: Fetch) -> None:
    endpoint = Endpoint()
    endpoint.breaks = [0, 0, 0, 1] * 10
    assert fetch(endpoint, job_of(FILE)) == FILE
    assert len(endpoint.asked) == 41


def test_connection_that_stays_broken(fetch: Fetch) -> None:
    break_off(fetch, job_of(FILE), 70_500)
    assert fetch.left == ["leads.csv.part", "leads.csv.part.json"]


def test_message_of_a_broken_download(fetch: Fetch) -> None:
    endpoint = Endpoint()
    endpoint.breaks = [10, 0, 0, 0, 0]
    with pytest.raises(DownloadError, match=r"job-1 broke off at 10 bytes: .*peer closed"):
        fetch(endpoint, job_of(FILE))


@pytest.mark.parametrize("checksum", [True, False])
def test_part_of_an_earlier_run_is_gone_on_with(fetch: Fetch, checksum: bool) -> None:
    job = job_of(FILE, checksum=checksum)
    break_off(fetch, job, 70_500)
    endpoint = Endpoint()
    assert fetch(endpoint, job) == FILE
    assert endpoint.asked == ["bytes=70500-"]
    assert fetch.left == ["leads.csv"]


def test_part_that_is_whole_is_only_checked(fetch: Fetch) -> None:
    job = job_of(FILE)
    break_off(fetch, job, 70_500)
    fetch.target.with_name("leads.csv.part").write_bytes(FILE)
    endpoint = Endpoint()
    assert fetch(endpoint, job) == FILE
    assert endpoint.asked == []


def test_part_of_another_job_is_not_gone_on_with(fetch: Fetch) -> None:
    break_off(fetch, job_of(FILE, "job-0", checksum=False), 70_500)
    endpoint = Endpoint(b"short")
    assert fetch(endpoint, job_of(b"short", checksum=False)) == b"short"
    assert endpoint.asked == [None]


@pytest.mark.parametrize("label", [None, "", "[]", "\x00"])
def test_part_of_nobody_knows_whom(fetch: Fetch, label: str | None) -> None:
    fetch.target.with_name("leads.csv.part").write_bytes(b"x" * 1000)
    if label is not None:
        fetch.target.with_name("leads.csv.part.json").write_text(label)
    endpoint = Endpoint()
    assert fetch(endpoint, job_of(FILE, checksum=False)) == FILE
    assert endpoint.asked == [None]


def test_spoilt_part_is_begun_anew(fetch: Fetch) -> None:
    job = job_of(FILE)
    break_off(fetch, job, 70_500)
    fetch.target.with_name("leads.csv.part").write_bytes(b"x" * 70_500)
    endpoint = Endpoint()
    assert fetch(endpoint, job) == FILE
    assert endpoint.asked == ["bytes=70500-", None]


def test_part_longer_than_the_file_is_begun_anew(fetch: Fetch) -> None:
    job = job_of(FILE)
    break_off(fetch, job, 70_500)
    fetch.target.with_name("leads.csv.part").write_bytes(FILE + b"x")
    assert fetch(Endpoint(), job) == FILE


def test_server_that_ignores_ranges(fetch: Fetch) -> None:
    endpoint = Endpoint(ranges=False)
    endpoint.breaks = [70_500]
    assert fetch(endpoint, job_of(FILE)) == FILE
    assert endpoint.asked == [None, "bytes=70500-"]


def test_server_that_ignores_ranges_is_given_up_where_it_gets_no_further(fetch: Fetch) -> None:
    endpoint = Endpoint(ranges=False)
    endpoint.breaks = [70_500] * 100
    with pytest.raises(DownloadError):
        fetch(endpoint, job_of(FILE))
    assert len(endpoint.asked) == 5


def test_server_that_sends_another_range(fetch: Fetch) -> None:
    other = httpx2.Response(
        206, headers={**CSV, "Content-Range": f"bytes 0-9/{len(FILE)}"}, content=FILE[:10]
    )
    endpoint = Endpoint()
    endpoint.breaks = [70_500]
    endpoint.instead = [None, other]
    assert fetch(endpoint, job_of(FILE)) == FILE
    assert endpoint.asked == [None, "bytes=70500-", None]


def test_wrong_file_is_fetched_once_more(fetch: Fetch) -> None:
    endpoint = Endpoint()
    endpoint.instead = [httpx2.Response(200, headers=CSV, content=FILE[::-1])]
    assert fetch(endpoint, job_of(FILE)) == FILE
    assert 0 in fetch.seen


@pytest.mark.parametrize("file", [FILE[::-1], FILE[:-1], FILE + b"x", b""])
def test_file_that_stays_wrong(fetch: Fetch, file: bytes) -> None:
    endpoint = Endpoint(file)
    with pytest.raises((ChecksumError, DownloadError), match="job-1"):
        fetch(endpoint, job_of(FILE))
    assert not fetch.target.exists()


def test_bytes_that_are_wrong_in_another_way_each_time_are_fetched_again(fetch: Fetch) -> None:
    wrong = [FILE[:at] + b"?" + FILE[at + 1 :] for at in range(3)]
    endpoint = Endpoint()
    endpoint.instead = [httpx2.Response(200, headers=CSV, content=each) for each in wrong]
    assert fetch(endpoint, job_of(FILE)) == FILE
    assert endpoint.asked == [None] * 4


def test_bytes_that_stay_wrong_are_given_up(fetch: Fetch) -> None:
    wrong = [FILE[:at] + b"?" + FILE[at + 1 :] for at in range(9)]
    endpoint = Endpoint()
    endpoint.instead = [httpx2.Response(200, headers=CSV, content=each) for each in wrong]
    with pytest.raises(ChecksumError):
        fetch(endpoint, job_of(FILE))
    assert len(endpoint.asked) == 6
    assert fetch.left == []


def test_wrong_file_leaves_nothing(fetch: Fetch) -> None:
    endpoint = Endpoint(FILE[::-1])
    with pytest.raises(ChecksumError, match="not the one that the server announced: job-1 has"):
        fetch(endpoint, job_of(FILE))
    assert endpoint.asked == [None, None]
    assert fetch.left == []


def test_without_a_checksum_only_the_size_is_checked(fetch: Fetch) -> None:
    assert fetch(Endpoint(FILE[::-1]), job_of(FILE, checksum=False)) == FILE[::-1]
    with pytest.raises(ChecksumError):
        fetch(Endpoint(FILE + b"x"), job_of(FILE, "job-2", checksum=False))


def test_neither_size_nor_checksum_is_known(fetch: Fetch) -> None:
    job = Job(export_id="job-1", status=State.COMPLETED)
    endpoint = Endpoint()
    endpoint.breaks = [70_500]
    assert fetch(endpoint, job) == FILE


def test_empty_file(fetch: Fetch) -> None:
    assert fetch(Endpoint(b""), job_of(b"")) == b""


def test_missing_file_is_asked_for_a_little_longer(fetch: Fetch) -> None:
    endpoint = Endpoint()
    endpoint.instead = [httpx2.Response(404, text="File not found")] * 3
    assert fetch(endpoint, job_of(FILE)) == FILE
    endpoint.instead = [httpx2.Response(404, text="File not found")] * 4
    with pytest.raises(FileMissingError, match="expired, or the job is not completed: job-1"):
        fetch(endpoint, job_of(FILE))


def test_refusal_is_told(fetch: Fetch) -> None:
    body = {"success": False, "errors": [{"code": "603", "message": "Access denied"}]}
    endpoint = Endpoint()
    endpoint.instead = [httpx2.Response(200, json=body)]
    with pytest.raises(ProtocolError, match="603 Access denied"):
        fetch(endpoint, job_of(FILE))
    assert not fetch.target.exists()


@pytest.mark.parametrize("ranges", [True, False])
def test_stream_goes_on_where_it_broke_off(fetch: Fetch, ranges: bool) -> None:
    endpoint = Endpoint(ranges=ranges)
    endpoint.breaks = [70_500, 100_000]
    assert fetch.to_stream(endpoint, job_of(FILE)) == FILE
    assert endpoint.asked[1] == "bytes=70500-"
    assert fetch.seen == sorted(fetch.seen)


def test_stream_of_a_wrong_file(fetch: Fetch) -> None:
    with pytest.raises(ChecksumError):
        fetch.to_stream(Endpoint(FILE[::-1]), job_of(FILE))
