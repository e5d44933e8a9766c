"""The misbehaving endpoint itself: right where it has no fault, and wrong just as it is told to."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import httpx2
import pytest
from tests.support.misbehaving import (
    ALWAYS,
    CLIENT_ID,
    CLIENT_SECRET,
    FILE,
    GONE,
    ByteByByte,
    Close,
    CutOff,
    Endpoint,
    Fault,
    Gzipped,
    Hang,
    Headers,
    Html,
    Http,
    Json,
    OtherBytes,
    Refusal,
    Reset,
    Right,
    Script,
    Text,
    WithJob,
    WithMembers,
    first,
    from_on,
    lines,
    nth,
    sha256,
)
from tests.support.schemas import Contract

EXPORT = "/bulk/v1/leads/export"
TOKEN = "/identity/oauth/token"
CREDENTIALS = {
    "grant_type": "client_credentials",
    "client_id": CLIENT_ID,
    "client_secret": CLIENT_SECRET,
}
REQUEST = {"fields": ["id"], "filter": {"staticListId": 1001}}


class Caller:
    """Calls an endpoint by hand."""

    def __init__(self, http: httpx2.Client) -> None:
        self.http = http
        self.token = ""

    def ask_token(self) -> httpx2.Response:
        answer = self.http.get(TOKEN, params=CREDENTIALS)
        self.token = answer.json()["access_token"]
        return answer

    def call(self, method: str, path: str, **more: Any) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        return self.http.request(method, EXPORT + path, headers=headers, **more)

    def create(self) -> str:
        answer = self.call("POST", "/create.json", json=REQUEST).json()
        return str(answer["result"][0]["exportId"])

    def file(self, job: str) -> AbstractContextManager[httpx2.Response]:
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.http.stream("GET", f"{EXPORT}/{job}/file.json", headers=headers)

    def status(self, job: str) -> str:
        return str(self.call("GET", f"/{job}/status.json").json()["result"][0]["status"])


class Opened:
    """An endpoint that is served, and one who calls it."""

    def __init__(self, endpoint: Endpoint, http: httpx2.Client) -> None:
        self.endpoint = endpoint
        self.caller = Caller(http)
        self.caller.ask_token()


@contextmanager
def opened(**options: Any) -> Iterator[Opened]:
    endpoint = Endpoint(**options)
    # Certificates are of no use here, and take long to load.
    with endpoint.serving() as url, httpx2.Client(base_url=url, verify=False) as http:
        yield Opened(endpoint, http)


@pytest.fixture
def well() -> Iterator[Opened]:
    """An endpoint without faults."""
    with opened() as each:
        yield each


def refused(answer: httpx2.Response) -> tuple[str, str]:
    (error,) = answer.json()["errors"]
    return error["code"], error["message"]


def test_answers_are_of_the_published_shape(well: Opened, contract: Contract | None) -> None:
    if contract is None:
        pytest.skip("the published shapes of answers are not in ../shared")
    caller = well.caller
    answers = [caller.ask_token(), caller.call("POST", "/create.json", json=REQUEST)]
    (job,) = well.endpoint.jobs
    answers += [caller.call("POST", f"/{job.id}/{step}.json") for step in ("enqueue", "cancel")]
    answers += [caller.call("GET", f"/{job.id}/status.json"), caller.call("GET", ".json")]
    answers.append(caller.call("POST", f"/{job.id}/enqueue.json"))
    for state in ("Processing", "Completed", "Failed"):
        job.state = state
        answers.append(caller.call("GET", f"/{job.id}/status.json"))
    for answer in answers:
        request = answer.request
        contract.check(request.method, request.url.path, answer.status_code, answer.json())


def test_a_job_from_its_creation_to_its_file(well: Opened) -> None:
    caller = well.caller
    job = caller.create()
    assert well.endpoint.jobs[0].request == REQUEST
    assert caller.status(job) == "Created"
    assert caller.call("GET", f"/{job}/file.json").status_code == 404
    caller.call("POST", f"/{job}/enqueue.json")
    assert [caller.status(job) for _ in range(3)] == ["Processing", "Completed", "Completed"]
    answer = caller.call("GET", f"/{job}/status.json").json()["result"][0]
    assert answer["numberOfRecords"] == 1000
    assert answer["fileSize"] == len(FILE)
    assert answer["fileChecksum"] == sha256(FILE)
    whole = caller.call("GET", f"/{job}/file.json")
    assert (whole.status_code, whole.content) == (200, FILE)
    assert whole.headers["Content-Type"] == "text/csv;charset=UTF-8"


def test_ranges_of_a_file(well: Opened) -> None:
    job = well.endpoint.add_job("Completed").id
    piece = well.caller.call("GET", f"/{job}/file.json", headers={"Range": "bytes=3-10"})
    assert (piece.status_code, piece.content) == (206, FILE[3:11])
    assert piece.headers["Content-Range"] == f"bytes 3-10/{len(FILE)}"
    beyond = well.caller.call("GET", f"/{job}/file.json", headers={"Range": f"bytes={len(FILE)}-"})
    assert beyond.status_code == 416


def test_a_token_is_the_same_until_it_expires(well: Opened) -> None:
    caller, endpoint = well.caller, well.endpoint
    old = caller.token
    caller.ask_token()
    assert caller.token == old
    endpoint.expire_tokens()
    assert refused(caller.call("GET", ".json")) == ("602", "Access token expired")
    caller.ask_token()
    assert caller.token != old
    assert caller.call("GET", ".json").json()["success"] is True
    caller.token = "other"
    assert refused(caller.call("GET", ".json")) == ("601", "Access token invalid")
    wrong = caller.http.get(TOKEN, params=CREDENTIALS | {"client_secret": "x"})
    assert wrong.status_code == 401


def test_what_is_refused(well: Opened) -> None:
    caller, endpoint = well.caller, well.endpoint
    job = caller.create()
    caller.call("POST", f"/{job}/enqueue.json")
    again = caller.call("POST", f"/{job}/enqueue.json")
    assert refused(again) == ("1029", "Job already queued")
    endpoint.jobs[0].state = "Completed"
    assert refused(caller.call("POST", f"/{job}/cancel.json"))[0] == "1003"
    assert refused(caller.call("GET", "/none/status.json"))[0] == "1003"
    assert refused(caller.call("GET", f"/{job}/none.json"))[0] == "610"


def test_the_queue_has_a_limit_and_the_day_a_quota() -> None:
    with opened(queue_limit=2, quota_bytes=500_000_000) as each:
        for state in ("Queued", "Processing"):
            each.endpoint.add_job(state)
        job = each.caller.create()
        answer = each.caller.call("POST", f"/{job}/enqueue.json")
        assert refused(answer) == ("1029", "Too many jobs in queue")
        each.endpoint.jobs[0].state = "Completed"
        each.endpoint.quota_bytes = 0
        answer = each.caller.call("POST", f"/{job}/enqueue.json")
        assert refused(answer) == ("1029", "Export daily quota 0MB exceeded")


def test_the_list_has_states_and_pages(well: Opened) -> None:
    for state in ("Created", "Queued", "Created"):
        well.endpoint.add_job(state)
    well.endpoint.add_job(kind="activities")
    page = well.caller.call("GET", ".json", params={"batchSize": 2}).json()
    rest = well.caller.call(
        "GET", ".json", params={"batchSize": 2, "nextPageToken": page["nextPageToken"]}
    ).json()
    assert [len(page["result"]), len(rest["result"])] == [2, 1]
    assert "nextPageToken" not in rest
    created = well.caller.call("GET", ".json", params={"status": ["Created", "Failed"]}).json()
    assert [job["status"] for job in created["result"]] == ["Created", "Created"]


def test_a_job_can_be_moved_by_hand() -> None:
    with opened(script=Script(course=())) as each:
        job = each.caller.create()
        each.caller.call("POST", f"/{job}/enqueue.json")
        assert [each.caller.status(job) for _ in range(3)] == ["Queued"] * 3
        each.endpoint.jobs[0].state = "Failed"
        assert each.caller.status(job) == "Failed"
        assert not each.endpoint.running


def test_the_journal_has_what_was_called(well: Opened) -> None:
    well.caller.create()
    well.caller.call("GET", ".json", params={"status": ["Created", "Queued"]})
    token, create, listed = well.endpoint.calls
    assert (token.name, token.method, token.path) == ("token", "GET", TOKEN)
    assert token.query["client_id"] == [CLIENT_ID]
    assert (create.name, create.nth, create.json) == ("create", 1, REQUEST)
    assert create.job == well.endpoint.jobs[0].id
    assert listed.query == {"status": ["Created", "Queued"]}
    assert {call.status for call in well.endpoint.calls} == {200}
    assert well.endpoint.told().splitlines()[1] == f"create 1: POST {EXPORT}/create.json -> 200"


ANSWERS = [
    pytest.param(Http(503, "later", {"Retry-After": "7"}), 503, b"later", id="http"),
    pytest.param(Text("oh"), 200, b"oh", id="text"),
    pytest.param(Html("<p>"), 200, b"<p>", id="html"),
    pytest.param(Json([1]), 200, b"[1]", id="json"),
]


@pytest.mark.parametrize(("answer", "status", "body"), ANSWERS)
def test_another_answer(answer: Any, status: int, body: bytes) -> None:
    with opened(faults=[Fault("create", answer)]) as each:
        found = each.caller.call("POST", "/create.json", json=REQUEST)
        assert (found.status_code, found.content) == (status, body)
        assert each.endpoint.states == []
        each.caller.create()
        assert each.endpoint.states == ["Created"]


def test_a_refusal_has_what_it_is_given() -> None:
    faults = [Fault("list", Refusal("606", "Max rate")), Fault("list", Refusal(713, GONE, 400))]
    with opened(faults=[faults[0]]) as each:
        assert refused(each.caller.call("GET", ".json")) == ("606", "Max rate")
    with opened(faults=[faults[1]]) as each:
        found = each.caller.call("GET", ".json")
        assert found.status_code == 400
        assert found.json()["errors"] == [{"code": 713}]


@pytest.mark.parametrize(
    ("answer", "error"),
    [(Reset(), httpx2.ReadError), (Close(), httpx2.RemoteProtocolError)],
    ids=["reset", "closed"],
)
@pytest.mark.parametrize("effect", [False, True])
def test_no_answer_before_or_after_the_effect(
    answer: Any, error: type[Exception], effect: bool
) -> None:
    with opened(faults=[Fault("create", answer, effect=effect)]) as each:
        with pytest.raises(error):
            each.caller.call("POST", "/create.json", json=REQUEST)
        assert each.endpoint.states == ["Created"] * effect
        assert each.endpoint.calls[-1].status is None


def test_no_answer_at_all_and_the_end_of_the_endpoint() -> None:
    endpoint = Endpoint(faults=[Fault("token", Hang())])
    errors: list[Exception] = []

    def ask(url: str) -> None:
        try:
            httpx2.get(url + TOKEN, timeout=60, verify=False)
        except httpx2.RequestError as error:
            errors.append(error)

    with endpoint.serving() as url:
        thread = threading.Thread(target=ask, args=[url])
        thread.start()
        endpoint.wait_for("token", answered=True)
        assert thread.is_alive()
    thread.join()
    assert len(errors) == 1


@pytest.mark.parametrize("after", [0, 1, len(FILE) - 1])
def test_a_file_that_is_cut_off(after: int) -> None:
    with opened(faults=[Fault("file", CutOff(after))]) as each:
        job = each.endpoint.add_job("Completed").id
        got: list[bytes] = []
        with (
            each.caller.file(job) as answer,
            pytest.raises(httpx2.RemoteProtocolError, match="without sending complete"),
        ):
            got.extend(answer.iter_bytes())
        assert b"".join(got) == FILE[:after]


ALTERED = [
    pytest.param(ByteByByte(), FILE, {}, id="byte by byte"),
    pytest.param(Gzipped(), gzip.compress(FILE, mtime=0), {"Content-Encoding": "gzip"}, id="gzip"),
    pytest.param(Headers({"Content-Type": "x/y"}), FILE, {"Content-Type": "x/y"}, id="headers"),
    pytest.param(Headers({"Content-Length": ""}), FILE, {}, id="no length"),
    pytest.param(Headers({}, status=206), FILE, {}, id="status"),
    pytest.param(OtherBytes(lambda file: file[:5]), FILE[:5], {}, id="bytes"),
]


@pytest.mark.parametrize(("answer", "body", "headers"), ALTERED)
def test_an_altered_file(answer: Any, body: bytes, headers: dict[str, str]) -> None:
    with opened(faults=[Fault("file", answer)]) as each:
        job = each.endpoint.add_job("Completed").id
        with each.caller.file(job) as found:
            assert b"".join(found.iter_raw()) == body
        for name, value in headers.items():
            assert found.headers[name] == value
        assert ("Content-Length" in found.headers) == (answer != Headers({"Content-Length": ""}))
        assert found.status_code == (206 if answer == Headers({}, status=206) else 200)


def test_other_members() -> None:
    faults = [
        Fault("status", WithJob(status="Resting", createdAt=GONE)),
        Fault("status", WithMembers(result=None, more=1), times=nth(2)),
    ]
    with opened(faults=faults) as each:
        job = each.endpoint.add_job("Queued").id
        entry = each.caller.call("GET", f"/{job}/status.json").json()["result"][0]
        assert entry["status"] == "Resting"
        assert "createdAt" not in entry
        assert each.endpoint.states == ["Processing"]
        body = json.loads(each.caller.call("GET", f"/{job}/status.json").content)
        assert (body["result"], body["more"], body["success"]) == (None, 1, True)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (nth(2), [200, 502, 200, 200]),
        (first(2), [502, 502, 200, 200]),
        (from_on(3), [200, 200, 502, 502]),
        (ALWAYS, [502] * 4),
    ],
)
def test_times(times: Any, expected: list[int]) -> None:
    with opened(faults=[Fault("list", Http(502), times=times)]) as each:
        assert [each.caller.call("GET", ".json").status_code for _ in range(4)] == expected


def test_a_fault_can_be_about_some_calls_only() -> None:
    faults = [Fault("status", Http(502), times=ALWAYS, where=lambda call: call.job == "b")]
    with opened(faults=faults) as each:
        found = [each.caller.call("GET", f"/{job}/status.json").status_code for job in "ab"]
        assert found == [200, 502]


def test_an_event_comes_before_the_effect() -> None:
    faults = [Fault("status", Right(), times=nth(2), meanwhile=lambda e: e.jobs.clear())]
    with opened(faults=faults, script=Script(course=("Processing",), file=lines(1))) as each:
        job = each.endpoint.add_job("Queued").id
        assert each.endpoint.unused == faults
        assert each.caller.status(job) == "Processing"
        assert refused(each.caller.call("GET", f"/{job}/status.json"))[0] == "1003"
        assert each.endpoint.unused == []


def test_the_first_fault_that_meets_a_call_decides() -> None:
    faults = [Fault("list", Http(502)), Fault("list", Http(504), times=first(2))]
    with opened(faults=faults) as each:
        assert [each.caller.call("GET", ".json").status_code for _ in range(3)] == [502, 504, 200]
        assert each.endpoint.count("list") == 3
        assert [call.nth for call in each.endpoint.of("list")] == [1, 2, 3]
