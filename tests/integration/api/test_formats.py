"""Files in formats of ours: asked for by name, and sent as what they are."""

import csv
import gzip
import hashlib
import io
import json
from typing import Any

import pytest
from tests.support.instance import Instance, Serve, only, refusal

from outhaul.export.formats import FORMATS


@pytest.fixture(scope="module")
def instance(serve_module: Serve) -> Instance:
    return serve_module(part_records=150)


def rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_is_whole_and_is_sent_as_what_it_is(instance: Instance, name: str) -> None:
    job = instance.completed("activities", format=name)
    answer = instance.file(job["exportId"], "activities")
    content = answer.content
    assert answer.headers["Content-Type"] == FORMATS[name].media_type
    assert (job["format"], job["fileSize"]) == (name, len(content))
    assert job["fileChecksum"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
    first = instance.file(job["exportId"], "activities", headers={"Range": "bytes=0-99"})
    rest = instance.file(job["exportId"], "activities", headers={"Range": "bytes=100-"})
    assert (first.status_code, rest.status_code) == (206, 206)
    assert first.content + rest.content == content
    plain = gzip.decompress(content) if name.endswith(".GZ") else content
    has_header = not name.startswith("JSONL")
    if not has_header:
        assert len(plain.splitlines()) == job["numberOfRecords"] > 150, "of more than one part"


def test_json_lines_have_what_csv_has(instance: Instance) -> None:
    headers = {"leadId": "Lead", "attributes": 'its "attributes"'}
    asked = {"columnHeaderNames": headers, "fields": ["marketoGUID", *headers]}
    jobs = [instance.completed("activities", format=name, **asked) for name in ("CSV", "JSONL")]
    files = [instance.file(job["exportId"], "activities") for job in jobs]
    names, *expected = rows(files[0].content)
    found = [json.loads(line) for line in files[1].text.split("\n")[:-1]]
    assert [[*record] for record in found] == [names] * len(expected)
    assert [[str(value) for value in record.values()] for record in found] == expected


def test_no_records_are_a_file_all_the_same(instance: Instance) -> None:
    window = {"startAt": "1999-01-01T00:00:00Z", "endAt": "1999-01-02T00:00:00Z"}
    for name in FORMATS:
        job = instance.completed("activities", format=name, filter={"createdAt": window})
        answer = instance.file(job["exportId"], "activities")
        assert (answer.status_code, job["numberOfRecords"]) == (200, 0)
        assert len(answer.content) == job["fileSize"]
        empty = gzip.decompress(answer.content) if name.endswith(".GZ") else answer.content
        assert empty.count(b"\n") == (0 if name.startswith("JSONL") else 1)


def test_what_json_lines_cannot_tell_apart_is_refused_when_the_job_is_created(
    instance: Instance,
) -> None:
    twice: dict[str, Any] = {
        "columnHeaderNames": {"leadId": "marketoGUID"},
        "fields": ["marketoGUID", "leadId"],
    }
    code, message = refusal(instance.create("activities", format="jsonl", **twice))
    assert (code, "columnHeaderNames" in message) == ("1003", True)
    assert only(instance.create("activities", format="CSV", **twice))["status"] == "Created"


def test_an_unknown_format_is_refused_with_those_that_are_known(instance: Instance) -> None:
    code, message = refusal(instance.create("activities", format="Parquet"))
    assert code == "1003"
    assert all(name in message for name in FORMATS)
