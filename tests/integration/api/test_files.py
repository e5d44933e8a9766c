"""The file of a Completed job: whole and in ranges, over its parts."""

import csv
import hashlib
import io
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples
from tests.support.instance import (
    ACTIVITY_COUNT,
    KINDS,
    STATIC_LIST,
    Instance,
    Serve,
    base,
    only,
)

from outhaul.accounts.subscriptions import override_limits
from outhaul.database.schema import export_part
from outhaul.storage.folder import FolderStore


@dataclass(frozen=True)
class File:
    """A file of many parts."""

    instance: Instance
    job: dict[str, Any]
    content: bytes
    part_sizes: list[int]

    def get(self, range_header: str | None = None, **headers: str) -> httpx2.Response:
        if range_header is not None:
            headers["Range"] = range_header
        return self.instance.file(self.job["exportId"], "activities", headers=headers)

    @property
    def size(self) -> int:
        return len(self.content)


@pytest.fixture(scope="module")
def file(serve_module: Serve) -> File:
    instance = serve_module(part_records=150)
    job = instance.completed("activities")
    export_id = job["exportId"]
    with instance.database.read() as connection:
        rows = connection.execute(
            export_part.select()
            .where(export_part.c.job == export_id)
            .order_by(export_part.c.number)
        )
        sizes = [row.size for row in rows]
    return File(instance, job, instance.file(export_id, "activities").content, sizes)


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_it_has_many_parts(file: File) -> None:
    assert len(file.part_sizes) > 20
    assert sum(file.part_sizes) == file.size


def test_whole(file: File) -> None:
    answer = file.get()
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/csv;charset=UTF-8"
    assert answer.headers["Content-Length"] == str(file.size)
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert "Content-Range" not in answer.headers


def test_what_is_not_in_the_cache_is_read_from_the_disk(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FolderStore, "read_cached", lambda *_: None)
    assert file.get().content == file.content
    assert file.get("bytes=10-").content == file.content[10:]


def test_is_what_the_job_says(file: File) -> None:
    assert file.job["fileSize"] == file.size
    assert file.job["fileChecksum"] == "sha256:" + hashlib.sha256(file.content).hexdigest()
    rows = rows_of(file.content)
    assert file.job["numberOfRecords"] == len(rows) == ACTIVITY_COUNT
    order = [(row["activityDate"], row["marketoGUID"]) for row in rows]
    assert order == sorted(order)
    assert file.content.endswith(b"\n")
    assert not file.content.startswith(b"\xef\xbb\xbf")


def test_has_the_same_bytes_in_one_part(file: File, serve: Serve) -> None:
    instance = serve()
    export_id = instance.completed("activities")["exportId"]
    assert instance.file(export_id, "activities").content == file.content


@pytest.mark.parametrize(
    ("header", "first", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, None),
        ("bytes=212-", 212, None),
        ("bytes=7-99", 7, 100),
        ("bytes=-1", -1, None),
        ("bytes=-1000", -1000, None),
        ("bytes=-999999999", 0, None),
        ("bytes=100-99999999999999999999999", 100, None),
        ("Bytes = 7-99", 7, 100),
        ("bytes=007-099", 7, 100),
    ],
)
def test_range(file: File, header: str, first: int, end: int | None) -> None:
    expected = file.content[first:end]
    begin = first % file.size
    answer = file.get(header)
    assert answer.status_code == 206
    assert answer.content == expected
    assert answer.headers["Content-Type"] == "text/csv;charset=UTF-8"
    assert answer.headers["Content-Length"] == str(len(expected))
    assert answer.headers["Content-Range"] == (
        f"bytes {begin}-{begin + len(expected) - 1}/{file.size}"
    )
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["ETag"] == file.get().headers["ETag"]


def test_range_of_the_last_byte(file: File) -> None:
    assert file.get(f"bytes={file.size - 1}-").content == b"\n"
    assert file.get(f"bytes=0-{file.size}").content == file.content


def test_ranges_at_the_borders_of_parts(file: File) -> None:
    border = 0
    for size in file.part_sizes[:-1]:
        border += size
        for first, last in ((border - 1, border), (border, border), (border - 1, border - 1)):
            answer = file.get(f"bytes={first}-{last}")
            assert answer.content == file.content[first : last + 1]
    across = file.part_sizes[0] + 1, sum(file.part_sizes[:-1])
    answer = file.get(f"bytes={across[0]}-{across[1]}")
    assert answer.content == file.content[across[0] : across[1] + 1]


def test_ranges_one_after_the_other_make_the_file(file: File) -> None:
    step = file.size // 13 + 1
    pieces = [file.get(f"bytes={n}-{n + step - 1}").content for n in range(0, file.size, step)]
    assert b"".join(pieces) == file.content


@given(st.data())
@examples(60)
def test_any_range(file: File, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, file.size - 1))
    last = data.draw(st.integers(first, file.size + 10))
    answer = file.get(f"bytes={first}-{last}")
    assert answer.status_code == 206
    assert answer.content == file.content[first : last + 1]


@pytest.mark.parametrize(
    "header",
    [
        "rows=0-9",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=9-7",
        "bytes=a-b",
        "bytes=1-2x",
        "bytes:1-2",
        "",
        "bytes=0-0,2-3",
        "bytes=0-0, -1",
        "bytes=,0-0",
    ],
)
def test_a_header_that_may_be_ignored_gives_the_whole(file: File, header: str) -> None:
    answer = file.get(header)
    assert answer.status_code == 200
    assert answer.content == file.content
    assert "Content-Range" not in answer.headers


@pytest.mark.parametrize(
    "header", ["bytes={size}-", "bytes={size}-{size}", "bytes=9{size}-", "bytes=-0"]
)
def test_a_range_beyond_the_end(file: File, header: str) -> None:
    answer = file.get(header.format(size=file.size))
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{file.size}"
    assert answer.headers["Content-Type"].startswith("text/plain")


class TestIfNoneMatch:
    def test_of_the_file_gives_nothing_but_its_tag(self, file: File) -> None:
        tag = file.get().headers["ETag"]
        for named in (tag, f"W/{tag}", f'"x", {tag}', "*"):
            answer = file.get("bytes=3-5", **{"If-None-Match": named})
            assert answer.status_code == 304
            assert answer.content == b""
            assert answer.headers["ETag"] == tag

    def test_of_another_gives_what_is_asked_for(self, file: File) -> None:
        assert file.get(**{"If-None-Match": '"x"'}).content == file.content
        assert file.get("bytes=3-5", **{"If-None-Match": '"x"'}).status_code == 206


class TestIfRange:
    def test_of_the_file_gives_the_range(self, file: File) -> None:
        tag = file.get().headers["ETag"]
        assert tag == f'"{file.job["fileChecksum"].removeprefix("sha256:")}"'
        answer = file.get("bytes=3-5", **{"If-Range": tag})
        assert answer.status_code == 206
        assert answer.content == file.content[3:6]

    @pytest.mark.parametrize(
        "other", ['"another"', 'W/"weak"', "Sun, 18 Jan 2026 10:00:00 GMT", ""]
    )
    def test_of_another_file_gives_the_whole(self, file: File, other: str) -> None:
        answer = file.get("bytes=3-5", **{"If-Range": other})
        assert answer.status_code == 200
        assert answer.content == file.content

    def test_without_a_range_changes_nothing(self, file: File) -> None:
        assert file.get(**{"If-Range": '"another"'}).content == file.content


@pytest.mark.parametrize(("file_format", "mark"), [("CSV", ","), ("TSV", "\t"), ("SSV", " ")])
def test_dialects(shared: Instance, file_format: str, mark: str) -> None:
    job = shared.completed("leads", format=file_format, fields=["id", "mktoName", "createdAt"])
    answer = shared.file(job["exportId"])
    assert answer.headers["Content-Type"] == "text/csv;charset=UTF-8"
    lines = list(csv.reader(io.StringIO(answer.text, newline=""), delimiter=mark))
    assert lines[0] == ["id", "mktoName", "createdAt"]
    assert len(lines) == job["numberOfRecords"] + 1
    assert {len(line) for line in lines} == {3}


def test_ssv_may_have_semicolons(serve: Serve) -> None:
    instance = serve(ssv_delimiter="semicolon")
    export_id = instance.completed(format="SSV")["exportId"]
    assert instance.file(export_id).text.startswith("id;email\n")


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_of_no_records_is_a_header_line(shared: Instance, kind: str) -> None:
    window = {"startAt": "2020-01-01", "endAt": "2020-01-31"}
    job = shared.completed(
        kind, filter={"createdAt": window}, fields=None if kind == "activities" else ["id"]
    )
    header = b"id\n" if kind == "leads" else None
    answer = shared.file(job["exportId"], kind)
    assert answer.status_code == 200
    assert answer.content.count(b"\n") == 1
    assert answer.content.endswith(b"\n")
    assert header is None or answer.content == header
    assert job["numberOfRecords"] == 0
    assert job["fileSize"] == len(answer.content)
    assert shared.file(job["exportId"], kind, headers={"Range": "bytes=0-"}).status_code == 206


def test_a_window_holds_both_its_ends(shared: Instance) -> None:
    everything = shared.completed("activities", fields=["marketoGUID", "activityDate"])
    rows = rows_of(shared.file(everything["exportId"], "activities").content)
    first, last = rows[100]["activityDate"], rows[-100]["activityDate"]
    job = shared.completed(
        "activities",
        filter={"createdAt": {"startAt": first, "endAt": last}},
        fields=["activityDate"],
    )
    assert job["numberOfRecords"] == sum(first <= row["activityDate"] <= last for row in rows)


@pytest.mark.parametrize("name", ["id", "name", "qualified"])
def test_members_of_a_static_list(shared: Instance, name: str) -> None:
    wanted: dict[str, Any]
    match name:
        case "id":
            wanted = {"staticListId": STATIC_LIST["id"]}
        case "name":
            wanted = {"staticListName": STATIC_LIST["name"]}
        case _:
            program = STATIC_LIST.get("program")
            prefix = f"{program}." if program else ""
            wanted = {"staticListName": prefix + STATIC_LIST["name"]}
    assert shared.completed(filter=wanted)["numberOfRecords"] == 60


def test_a_query_token_fetches_a_file(shared: Instance) -> None:
    override_limits(shared.database, "default", {"query_token": True})
    export_id = shared.completed()["exportId"]
    params = {"access_token": shared.token("etl")}
    path = f"{base('leads')}/{export_id}/file.json"
    assert shared.get(path, user=None, params=params).status_code == 200
    assert only(shared.status(export_id))["status"] == "Completed"
