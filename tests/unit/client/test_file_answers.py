"""Downloads from servers that answer file calls oddly: versions, pages, compression, ranges."""

import gzip
import zlib
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from tests.support.downloads import (
    CSV,
    FILE,
    PATH,
    Answers,
    Fetch,
    Pieces,
    answer,
    job_of,
)

from outhaul.client import (
    ChecksumError,
    DownloadError,
    FileMissingError,
    Job,
    NotAFileError,
    download,
    download_into,
    open_output,
)
from outhaul.protocol.states import State


@pytest.fixture
def fetch(tmp_path: Path) -> Fetch:
    return Fetch(tmp_path)


ROWS = b"id\n1\n2\n"
UNCHECKED = Job(export_id="job-1", status=State.COMPLETED, records=2)


def test_versions_of_a_file_are_not_mixed(fetch: Fetch) -> None:
    changed = b"id\n7\n8\n"
    endpoint = Answers(answer(ROWS[:5], breaks=True, ETag='"v1"'), answer(changed, ETag='"v2"'))
    assert fetch(endpoint, UNCHECKED) == changed
    assert endpoint.asked == [(None, None), ("bytes=5-", '"v1"')]


def test_a_range_of_another_version_is_refused(fetch: Fetch) -> None:
    endpoint = Answers(
        answer(ROWS[:5], breaks=True, ETag='"v1"'),
        answer(b"8\n", 206, Content_Range="bytes 5-6/7", ETag='"v2"'),
        answer(b"id\n7\n8\n", ETag='"v2"'),
    )
    assert fetch(endpoint, UNCHECKED) == b"id\n7\n8\n"


@pytest.mark.parametrize(
    ("tag", "date", "sent"),
    [('W/"v1"', "yesterday", None), ("", "", None), ("", "yesterday", "yesterday")],
)
def test_a_file_that_grows_is_fetched_from_its_beginning(
    fetch: Fetch, tag: str, date: str, sent: str | None
) -> None:
    grown = b"id\n1\n29\n"
    endpoint = Answers(
        answer(ROWS[:5], breaks=True, Content_Length="7", ETag=tag, Last_Modified=date),
        answer(grown[5:], 206, Content_Range="bytes 5-7/8"),
        answer(grown, Content_Length="8"),
    )
    assert fetch(endpoint, UNCHECKED) == grown
    assert endpoint.asked[1][1] == sent


def test_with_a_checksum_versions_do_not_matter(fetch: Fetch) -> None:
    endpoint = Answers(
        answer(ROWS[:5], breaks=True, ETag='"node-1"'),
        answer(ROWS[5:], 206, Content_Range="bytes 5-6/7", ETag='"node-2"'),
    )
    assert fetch(endpoint, job_of(ROWS)) == ROWS
    assert endpoint.asked[1] == ("bytes=5-", None)


def test_the_version_is_remembered_for_a_later_run(fetch: Fetch) -> None:
    breaks = [answer(b"", 206, breaks=True, Content_Range="bytes 5-6/7") for _ in range(5)]
    with pytest.raises(DownloadError):
        fetch(Answers(answer(ROWS[:5], breaks=True, ETag='"v1"'), *breaks), UNCHECKED)
    endpoint = Answers(answer(ROWS, ETag='"v2"'))
    assert fetch(endpoint, UNCHECKED) == ROWS
    assert endpoint.asked == [("bytes=5-", '"v1"')]


def test_a_stream_of_a_file_that_has_changed_is_not_continued(fetch: Fetch) -> None:
    endpoint = Answers(answer(ROWS[:5], breaks=True), answer(b"id\n7\n8\n"))
    with pytest.raises(ChecksumError, match="job-1 has changed at the server"):
        fetch.to_stream(endpoint, UNCHECKED)
    assert fetch.stream.getvalue() == ROWS[:5]


@pytest.mark.parametrize(
    "page",
    [
        answer(b"<p>Back soon</p>", Content_Type="text/html; charset=utf-8"),
        answer(b"<p>Back soon</p>", Content_Type="application/xhtml+xml"),
        answer(b" \r\n<!DOCTYPE html><p>Back soon</p>"),
        answer(b"<HTML><p>Back soon</p>", Content_Type="text/plain"),
    ],
)
def test_a_page_is_no_file(fetch: Fetch, page: httpx2.Response) -> None:
    job = Job(export_id="job-1", status=State.COMPLETED)
    assert fetch(Answers(page, answer(ROWS)), job) == ROWS
    pages = [answer(b"<html>", Content_Type="text/html") for _ in range(4)]
    with pytest.raises(NotAFileError, match="in place of the export file: it is an HTML page"):
        fetch.to_stream(Answers(*pages), job)
    assert fetch.stream.getvalue() == b""


def test_a_page_in_place_of_the_rest_keeps_what_there_is(fetch: Fetch) -> None:
    endpoint = Answers(
        answer(ROWS[:5], breaks=True),
        answer(b"<html>", Content_Type="text/html"),
        answer(ROWS[5:], 206, Content_Range="bytes 5-6/7"),
    )
    assert fetch(endpoint, UNCHECKED) == ROWS


PACKED = gzip.compress(ROWS)


@pytest.mark.parametrize(
    ("file_format", "sent", "encoding", "file"),
    [
        pytest.param("CSV", PACKED, "gzip", ROWS, id="compressed"),
        pytest.param("CSV", PACKED + gzip.compress(b"3\n"), "x-gzip", ROWS + b"3\n", id="members"),
        pytest.param("CSV", ROWS, "gzip", ROWS, id="not compressed"),
        pytest.param("CSV", b"", "gzip", b"", id="empty"),
        pytest.param("CSV.GZ", PACKED, "gzip", PACKED, id="a file that is gzip"),
        pytest.param("CSV", ROWS, "identity", ROWS, id="identity"),
        pytest.param("CSV", zlib.compress(ROWS), "deflate", ROWS, id="deflate"),
    ],
)
@pytest.mark.parametrize("cut", [1, 2, 5, 1000])
def test_an_answer_that_says_it_is_compressed(  # noqa: PLR0913 - one case has these parts
    fetch: Fetch, file_format: str, sent: bytes, encoding: str, file: bytes, *, cut: int
) -> None:
    job = replace(job_of(file), format=file_format)
    pieces = [sent[start : start + cut] for start in range(0, len(sent), cut)]
    headers = {**CSV, "Content-Encoding": encoding, "Content-Length": str(len(sent))}
    endpoint = Answers(httpx2.Response(200, headers=headers, stream=Pieces(pieces)))
    assert fetch(endpoint, job) == file


def test_a_compressed_answer_that_breaks_off_is_not_continued_by_a_range(fetch: Fetch) -> None:
    packed = gzip.compress(FILE)
    half = answer(packed[: len(packed) // 2], breaks=True, Content_Encoding="gzip")
    short = answer(packed[:-2000], Content_Encoding="gzip")
    endpoint = Answers(half, short, answer(packed, Content_Encoding="gzip"))
    assert fetch(endpoint, job_of(FILE)) == FILE
    assert [begin for begin, _ in endpoint.asked] == [None, None, None]


def test_a_length_that_is_too_long_loses_no_file_that_is_whole(fetch: Fetch) -> None:
    endpoint = Answers(answer(ROWS, breaks=True, Content_Length="700"))
    assert fetch(endpoint, job_of(ROWS)) == ROWS


@pytest.mark.parametrize(
    "content_range", ["bytes 0-6/7", "bytes 4-6/7", "items 5-6/7", "", "bytes 5-/7", "bytes */7"]
)
def test_another_range_than_the_requested_one_is_not_appended(
    fetch: Fetch, content_range: str
) -> None:
    endpoint = Answers(
        answer(ROWS[:5], breaks=True),
        answer(b"9\n", 206, Content_Range=content_range),
        answer(ROWS),
    )
    assert fetch(endpoint, UNCHECKED) == ROWS
    assert endpoint.asked[-1] == (None, None)


def test_more_bytes_than_the_range_has_are_refused(fetch: Fetch) -> None:
    endpoint = Answers(
        answer(ROWS[:5], breaks=True),
        answer(b"2\n3\n", 206, Content_Range="bytes 5-6/*"),
        answer(ROWS),
    )
    assert fetch(endpoint, Job(export_id="job-1", status=State.COMPLETED)) == ROWS


def test_ranges_that_are_shorter_than_requested_are_joined(fetch: Fetch) -> None:
    endpoint = Answers(
        answer(ROWS[:2], 206, Content_Range="bytes 0-1/7"),
        answer(ROWS[2:4], 206, Content_Range="bytes 2-3/7"),
        answer(ROWS[4:], 206, Content_Range="bytes 4-6/7"),
    )
    assert fetch(endpoint, UNCHECKED) == ROWS
    assert [begin for begin, _ in endpoint.asked] == [None, "bytes=2-", "bytes=4-"]


def test_a_redirect_is_followed_to_another_host_without_the_token(fetch: Fetch) -> None:
    tokens: list[str | None] = []

    def endpoint(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/identity/oauth/token":
            return httpx2.Response(200, json={"access_token": "t", "expires_in": 3600})
        tokens.append(request.headers.get("Authorization"))
        if request.url.host == "host":
            return httpx2.Response(307, headers={"Location": "http://bucket/file?signature=s"})
        return answer(ROWS)

    with fetch.session(endpoint) as session:
        checked = download(session, PATH, UNCHECKED, fetch.target)
    assert fetch.target.read_bytes() == ROWS
    assert tokens == ["Bearer t", None]
    assert (checked.by_checksum, checked.by_records, checked.size) == (False, True, len(ROWS))


def test_a_wrong_number_of_records_is_no_file(fetch: Fetch) -> None:
    wrong = replace(UNCHECKED, records=20_000)
    with pytest.raises(ChecksumError, match="job-1 has 2 of 20,000 records"):
        fetch(Answers(answer(ROWS), answer(ROWS)), wrong)
    assert fetch.left == []
    assert fetch(Answers(answer(b"id\n"), answer(ROWS)), UNCHECKED) == ROWS


def test_an_old_job_is_asked_for_its_file_a_few_times_only(fetch: Fetch) -> None:
    endpoint = Answers(*(httpx2.Response(404) for _ in range(9)))
    with (
        fetch.session(endpoint) as session,
        open_output(fetch.target) as sink,
        pytest.raises(FileMissingError),
    ):
        download_into(session, PATH, UNCHECKED, sink, missing_attempts=2)
    assert len(endpoint.asked) == 2
