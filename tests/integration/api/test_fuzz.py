"""Whatever a client sends, it is answered: nothing ends in HTTP 5xx or in code 611.

The instance holds both against every answer, and an exception of the app ends the test.
"""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.examples import examples
from tests.support.instance import (
    BODIES,
    KINDS,
    TOKEN,
    UNKNOWN_ID,
    WINDOW,
    Instance,
    base,
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> str:
    return str(request.param)


FUZZ = examples(60)

# Values that are nearly right reach deeper than random ones.
NAMES = st.sampled_from(
    [
        *("filter", "fields", "format", "columnHeaderNames", "createdAt", "updatedAt"),
        *("startAt", "endAt", "staticListId", "staticListName", "smartListId", "smartListName"),
        *("activityTypeIds", "primaryAttributeValueIds", "primaryAttributeValues"),
        *("id", "email", "leadId", "marketoGUID", "attributes", "CSV", "TSV", "ssv", "ecids"),
        *("2026-01-01", "2026-01-10T10:00:00Z", "9999-12-31T23:59-23:59", "0001-01-01T00:00+2359"),
    ]
)
TEXTS = NAMES | st.text(max_size=20)
NUMBERS = (
    st.sampled_from([0, 1, 2, 13, 22, 24, 25, 37, 104, -1, 2**31, 2**63, 2**64, 10**30])
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
)
# The same as texts and floats, which are read too.
WRITTEN = NUMBERS | NUMBERS.map(str) | NUMBERS.map(" {}.0 ".format) | st.none()
FRACTIONS = st.sampled_from(
    ["2026-01-01T00:00:00.999Z", " 2026-01-09 10:00:00.0Z+0000", "9" * 5_000]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
ENDS = TEXTS | FRACTIONS
WINDOWS = st.just(WINDOW) | st.fixed_dictionaries({}, optional={"startAt": ENDS, "endAt": ENDS})
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "createdAt": WINDOWS,
        "updatedAt": WINDOWS,
        "staticListId": WRITTEN,
        "staticListName": TEXTS | st.none(),
        "smartListId": WRITTEN,
        "programId": WRITTEN,
        "programIds": st.lists(WRITTEN, max_size=4) | st.none(),
        "isExhausted": st.sampled_from([True, "true", " FALSE", 1, "", None]),
        "statusNames": st.lists(TEXTS, max_size=3),
        "activityTypeIds": st.lists(WRITTEN, max_size=4) | st.none(),
        "primaryAttributeValueIds": st.lists(WRITTEN, max_size=4) | st.none(),
        "primaryAttributeValues": st.lists(TEXTS, max_size=4),
    },
)
REQUESTS = VALUES | st.fixed_dictionaries(
    {"filter": FILTERS | VALUES},
    optional={
        "fields": st.lists(TEXTS, max_size=4) | VALUES,
        "format": TEXTS | VALUES,
        "columnHeaderNames": st.dictionaries(TEXTS, TEXTS, max_size=3) | VALUES,
    },
)

IDS = st.sampled_from([UNKNOWN_ID, UNKNOWN_ID.upper(), "1"]) | st.text(max_size=40)
PATHS = (
    st.just(TOKEN)
    | st.builds(
        "{}{}".format,
        st.sampled_from([base(kind) for kind in KINDS]),
        st.sampled_from([".json", "/create.json"])
        | st.builds(
            "/{}/{}.json".format, IDS, st.sampled_from(["enqueue", "cancel", "status", "file"])
        ),
    )
    | st.text(max_size=50).map("/{}".format)
)
METHODS = st.sampled_from(["GET", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
BYTES = st.binary(max_size=60)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *(b"authorization", b"content-type", b"content-length", b"range", b"if-range"),
                *(b"transfer-encoding", b"accept", b"host", b"cookie", b"x-forwarded-for"),
            ]
        )
        | BYTES,
        st.sampled_from(
            [
                *(b"application/json", b"application/x-www-form-urlencoded", b"Bearer x"),
                *(b"bytes=0-0", b"bytes=-5", b"chunked", b"0", b"20000000", b"multipart/form-data"),
            ]
        )
        | BYTES,
    ),
    max_size=4,
)
QUERIES = BYTES | st.lists(
    st.tuples(
        st.sampled_from(
            [
                *(b"status", b"batchSize", b"nextPageToken", b"access_token", b"grant_type"),
                *(b"client_id", b"client_secret"),
            ]
        ),
        st.sampled_from([b"client_credentials", b"created", b"1", b"W10", b"%ff", b"%00"]) | BYTES,
    ),
    max_size=4,
).map(lambda pairs: b"&".join(name + b"=" + value for name, value in pairs))


@pytest.mark.parametrize("kind", BODIES)
@given(request=REQUESTS)
@example(request={"filter": {"createdAt": WINDOW}, "fields": ["leadId"]})
@FUZZ
def test_any_json(shared: Instance, kind: str, request: object) -> None:
    body = json.dumps(request).encode()
    answer = shared.raw("POST", f"{base(kind)}/create.json", body=[body])
    assert answer.status == 200


@pytest.mark.parametrize("kind", KINDS)
@given(body=st.lists(st.binary(max_size=200), min_size=1, max_size=3))
@example(body=[b'{"fields": ["\\ud800"], "filter": {}}'])
@example(body=[b'{"fields": ["\xed\xa0\x80"], "filter": {}}'])
@example(body=[b'{"filter": {"createdAt": ' + b"[" * 100_000])
@example(body=[b'{"filter": ' + b'{"createdAt": ' * 900 + b"1" + b"}" * 901])
@example(body=[b'{"filter": {"staticListId": ' + b"9" * 5_000 + b"}}"])
@example(body=[b'{"filter": {"staticListId": 1e999}}'])
@FUZZ
def test_any_bytes(shared: Instance, kind: str, body: list[bytes]) -> None:
    answer = shared.raw("POST", f"{base(kind)}/create.json", body=body)
    assert answer.status == 200


@given(
    call=st.fixed_dictionaries(
        {
            "method": METHODS,
            "path": PATHS,
            "query": QUERIES,
            "headers": HEADERS,
            "body": st.lists(BYTES, min_size=1, max_size=2),
            "user": st.sampled_from(["etl", "nobody", None]),
        }
    )
)
@example(call={"method": "PUT", "path": TOKEN, "query": b"\x80"})
@example(
    call={
        "method": "POST",
        "path": TOKEN,
        "query": b"client_id=%ed%a0%80",
        "headers": [(b"content-type", b"application/x-www-form-urlencoded")],
        "body": [b"grant_type=client_credentials&client_secret=\xff%ed%a0%80"],
    }
)
@example(
    call={
        "method": "GET",
        "path": f"{base('leads')}.json",
        "headers": [(b"content-length", b"9" * 5_000)],
    }
)
@examples(200)
def test_any_call(shared: Instance, call: dict[str, Any]) -> None:
    assert shared.raw(**call).status in (200, 400, 401, 404, 413)


@given(
    action=st.sampled_from(["enqueue", "cancel", "status", "file"]),
    call=st.fixed_dictionaries({"query": QUERIES, "headers": HEADERS, "body": st.lists(BYTES)}),
)
@FUZZ
def test_any_call_about_a_job(
    completed: str, shared: Instance, action: str, call: dict[str, Any]
) -> None:
    method = "POST" if action in ("enqueue", "cancel") else "GET"
    answer = shared.raw(method, f"{base('leads')}/{completed}/{action}.json", **call)
    assert answer.status in (200, 206, 413, 416)


@given(header=st.from_regex(r"(?i)bytes ?= ?[-0-9, ]*", fullmatch=True))
@FUZZ
def test_any_range(completed: str, shared: Instance, header: str) -> None:
    path = f"{base('leads')}/{completed}/file.json"
    answer = shared.raw("GET", path, headers=[(b"range", header.encode())])
    assert answer.status in (200, 206, 416)
    assert answer.status == 416 or len(answer.body) == int(answer.headers["content-length"])


@pytest.fixture(scope="module")
def completed(shared: Instance) -> str:
    return str(shared.completed()["exportId"])
