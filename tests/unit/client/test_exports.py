import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from outhaul.client import (
    AlreadyQueuedError,
    AnswerError,
    Backoff,
    Exports,
    Job,
    JobFailedError,
    Patience,
    ProtocolError,
    QueueFullError,
    QuotaExceededError,
    Session,
    UnreachableError,
)
from outhaul.protocol.states import State

REQUEST = {"fields": ["id"], "filter": {"staticListId": 1}}
ID = "ce45a7a1-f19d-4ce2-882c-a3c795940a7d"
QUEUE_FULL = ("1029", "Too many jobs in queue")
QUOTA = ("1029", "Export daily quota 500MB exceeded")
ALREADY = ("1029", "Job already queued")

Fault = httpx2.Response | Exception | tuple[str, str]


class Endpoint:
    """A kind of exports with one job, which goes through `course` as its status is asked for.

    `faults` come in place of the answers of a step, in turn; those in `after` come in place of
    the answers of steps that are carried out all the same.
    """

    def __init__(self, course: tuple[str, ...] = ("Queued", "Processing", "Completed")) -> None:
        self.course = list(course)
        self.state = ""
        self.faults: dict[str, list[Fault]] = {}
        self.after: dict[str, list[Fault]] = {}
        self.steps: list[str] = []
        self.created: list[Any] = []
        self.paths: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/identity/oauth/token":
            return httpx2.Response(200, json={"access_token": "t", "expires_in": 3600})
        step = request.url.path.rsplit("/", 1)[-1].removesuffix(".json")
        self.steps.append(step)
        self.paths.append(f"{request.method} {request.url.raw_path.decode()}")
        if self.faults.get(step):
            return self._fail(self.faults[step].pop(0))
        answer = self._answer(step, request)
        if self.after.get(step):
            return self._fail(self.after[step].pop(0))
        return answer

    def _answer(self, step: str, request: httpx2.Request) -> httpx2.Response:
        match step:
            case "create":
                self.created.append(json.loads(request.content))
                self.state = "Created"
            case "enqueue":
                if self.state != "Created":
                    return self._fail(ALREADY)
                self.state = "Queued"
            case "cancel":
                if self.state == "Cancelled":
                    return self._fail(("1003", "Export job is Cancelled"))
                self.state = "Cancelled"
            case "status" if self.state not in ("Created", "Cancelled") and self.course:
                self.state = self.course.pop(0)
        entry = {"exportId": ID, "status": self.state, "createdAt": "2026-01-31T00:00:00Z"}
        if self.state == "Failed":
            entry["errorMsg"] = "out of luck"
        return httpx2.Response(200, json={"requestId": "1", "success": True, "result": [entry]})

    @staticmethod
    def _fail(fault: Fault) -> httpx2.Response:
        if isinstance(fault, Exception):
            raise fault
        if isinstance(fault, httpx2.Response):
            return fault
        errors = [{"code": fault[0], "message": fault[1]}]
        return httpx2.Response(200, json={"requestId": "1", "success": False, "errors": errors})


class Opened:
    """The exports of an endpoint, and the pauses that were made."""

    def __init__(self, endpoint: Callable[[httpx2.Request], httpx2.Response], kind: str) -> None:
        self.pauses: list[float] = []
        self.notices: list[str] = []
        self.session = Session(
            "http://host",
            "id",
            "s",
            transport=httpx2.MockTransport(endpoint),
            patience=Patience(sleep=self.pauses.append),
            backoff=Backoff(attempts=4),
            notice=self.notices.append,
        )
        self.exports = Exports(self.session, kind)


Open = Callable[..., Opened]


@pytest.fixture
def opened() -> Iterator[Open]:
    made: list[Opened] = []

    def make(endpoint: Callable[[httpx2.Request], httpx2.Response], kind: str = "leads") -> Opened:
        made.append(Opened(endpoint, kind))
        return made[-1]

    yield make
    for each in made:
        each.session.close()


def test_job_is_read_from_the_published_example() -> None:
    job = Job.from_answer(
        {
            "exportId": ID,
            "status": "Completed",
            "createdAt": "2017-01-21T11:47:30-08:00",
            "queuedAt": "2017-01-21T11:48:30-08:00",
            "startedAt": "2017-01-21T11:51:30-08:00",
            "finishedAt": "2017-01-21T12:59:30-08:00",
            "format": "CSV",
            "numberOfRecords": 15423,
            "fileSize": 12342,
            "fileChecksum": "sha256:c16514",
            "somethingNew": {},
        }
    )
    assert job == Job(
        export_id=ID,
        status=State.COMPLETED,
        format="CSV",
        created_at=datetime(2017, 1, 21, 19, 47, 30, tzinfo=UTC),
        queued_at=datetime(2017, 1, 21, 19, 48, 30, tzinfo=UTC),
        started_at=datetime(2017, 1, 21, 19, 51, 30, tzinfo=UTC),
        finished_at=datetime(2017, 1, 21, 20, 59, 30, tzinfo=UTC),
        records=15423,
        file_size=12342,
        checksum="sha256:c16514",
    )


def test_job_of_which_little_is_told() -> None:
    job = Job.from_answer({"exportId": ID, "status": "Canceled", "format": None})
    assert job == Job(export_id=ID, status=State.CANCELLED)


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "Created",
        {},
        {"exportId": ID},
        {"exportId": ID, "status": 7},
        {"exportId": ID, "status": ["Created"]},
        {"exportId": "", "status": "Created"},
        {"exportId": None, "status": "Created"},
        {"exportId": True, "status": "Created"},
        {"status": "Created"},
    ],
)
def test_job_that_cannot_be_read(entry: object) -> None:
    with pytest.raises(AnswerError, match="not of the bulk extract protocol"):
        Job.from_answer(entry)


@pytest.mark.parametrize("kind", ["leads", "activities", "program/members", "customobjects/pet_c"])
def test_paths(opened: Open, kind: str) -> None:
    endpoint = Endpoint()
    exports = opened(endpoint, kind).exports
    exports.create(REQUEST)
    exports.enqueue(ID)
    exports.status(ID)
    exports.cancel(ID)
    assert endpoint.paths == [
        f"POST /bulk/v1/{kind}/export/create.json",
        f"POST /bulk/v1/{kind}/export/{ID}/enqueue.json",
        f"GET /bulk/v1/{kind}/export/{ID}/status.json",
        f"POST /bulk/v1/{kind}/export/{ID}/cancel.json",
    ]
    assert exports.file_path("a/b") == f"/bulk/v1/{kind}/export/a%2Fb/file.json"


def test_run_to_the_end(opened: Open) -> None:
    endpoint = Endpoint(("Queued", *["Processing"] * 12, "Completed"))
    client = opened(endpoint)
    seen: list[str] = []
    job = client.exports.run(REQUEST, lambda job: seen.append(job.status), poll_seconds=5)
    assert job.status is State.COMPLETED
    assert endpoint.created == [REQUEST]
    assert seen[:4] == [State.CREATED, State.QUEUED, State.QUEUED, State.PROCESSING]
    assert seen[-1] is State.COMPLETED
    assert client.pauses[:3] == pytest.approx([0.2, 0.3, 0.45])
    assert client.pauses == sorted(client.pauses)
    assert client.pauses[-1] == 5


@pytest.mark.parametrize(
    ("end", "message"),
    [("Failed", f"without a file: {ID} is Failed: out of luck"), ("Cancelled", "is Cancelled$")],
)
def test_run_that_ends_without_a_file(opened: Open, end: str, message: str) -> None:
    endpoint = Endpoint(("Processing", end))
    with pytest.raises(JobFailedError, match=message) as caught:
        opened(endpoint).exports.run(REQUEST)
    assert caught.value.state == end
    assert "cancel" not in endpoint.steps


def test_full_queue_is_waited_for(opened: Open) -> None:
    endpoint = Endpoint()
    endpoint.faults["enqueue"] = [QUEUE_FULL, QUEUE_FULL]
    client = opened(endpoint)
    assert client.exports.run(REQUEST).status is State.COMPLETED
    assert endpoint.steps[:4] == ["create", "enqueue", "enqueue", "enqueue"]
    assert client.pauses[:2] == pytest.approx([0.2, 0.3])


def test_full_queue_is_waited_for_up_to_a_limit(opened: Open) -> None:
    endpoint = Endpoint()
    endpoint.faults["enqueue"] = [QUEUE_FULL] * 100
    client = opened(endpoint)
    with pytest.raises(QueueFullError):
        client.exports.run(REQUEST, queue_wait=30)
    assert sum(client.pauses) == pytest.approx(30)
    assert endpoint.state == "Cancelled"


def test_quota_used_up_at_create(opened: Open) -> None:
    endpoint = Endpoint()
    endpoint.faults["create"] = [QUOTA]
    with pytest.raises(QuotaExceededError, match="midnight in America/Chicago"):
        opened(endpoint).exports.run(REQUEST)
    assert endpoint.steps == ["create"]


def test_quota_used_up_at_enqueue_leaves_no_job(opened: Open) -> None:
    endpoint = Endpoint()
    endpoint.faults["enqueue"] = [QUOTA]
    with pytest.raises(QuotaExceededError):
        opened(endpoint).exports.run(REQUEST)
    assert endpoint.steps == ["create", "enqueue", "cancel"]


def test_interrupted_run_cancels_its_job(opened: Open) -> None:
    endpoint = Endpoint()
    client = opened(endpoint)

    def interrupt(job: Job) -> None:
        if job.status is State.PROCESSING:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.exports.run(REQUEST, interrupt)
    assert endpoint.state == "Cancelled"


def test_a_job_in_created_is_taken_up(opened: Open) -> None:
    endpoint = Endpoint()
    endpoint.state = "Created"
    assert opened(endpoint).exports.resume(ID).status is State.COMPLETED
    assert endpoint.steps[:3] == ["status", "enqueue", "status"]
    assert not endpoint.created


@pytest.mark.parametrize("course", [("Completed",), ("Processing", "Completed")])
def test_a_job_that_is_further_is_not_enqueued_again(opened: Open, course: tuple[str, ...]) -> None:
    endpoint = Endpoint(course)
    endpoint.state = "Queued"
    assert opened(endpoint).exports.resume(ID).status is State.COMPLETED
    assert set(endpoint.steps) == {"status"}


def test_a_job_that_was_taken_up_is_never_cancelled(opened: Open) -> None:
    endpoint = Endpoint()
    endpoint.state = "Queued"

    def interrupt(_job: Job) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opened(endpoint).exports.resume(ID, interrupt)
    assert endpoint.steps == ["status"]


def test_create_alone_is_not_repeated_when_its_answer_is_lost(opened: Open) -> None:
    endpoint = Endpoint()
    endpoint.after["create"] = [httpx2.ReadTimeout("timed out")]
    with pytest.raises(UnreachableError):
        opened(endpoint).exports.create(REQUEST)
    assert len(endpoint.created) == 1


def test_create_is_repeated_when_nothing_was_created(opened: Open) -> None:
    endpoint = Endpoint()
    endpoint.faults["create"] = [("606", "Max rate limit"), httpx2.ConnectError("refused")]
    assert opened(endpoint).exports.create(REQUEST).status is State.CREATED
    assert len(endpoint.created) == 1


@pytest.mark.parametrize("state", ["Queued", "Processing", "Completed"])
def test_enqueue_whose_answer_is_lost_counts(opened: Open, state: str) -> None:
    endpoint = Endpoint((state,))
    endpoint.after["enqueue"] = [httpx2.ReadTimeout("timed out")]
    exports = opened(endpoint).exports
    exports.create(REQUEST)
    assert exports.enqueue(ID).status == state
    assert endpoint.steps == ["create", "enqueue", "enqueue", "status"]


def test_enqueue_twice_is_an_error(opened: Open) -> None:
    exports = opened(Endpoint()).exports
    exports.create(REQUEST)
    exports.enqueue(ID)
    with pytest.raises(AlreadyQueuedError):
        exports.enqueue(ID)


def test_refused_enqueue_stays_refused_after_a_lost_answer(opened: Open) -> None:
    endpoint = Endpoint()
    endpoint.faults["enqueue"] = [httpx2.Response(502), QUEUE_FULL]
    exports = opened(endpoint).exports
    exports.create(REQUEST)
    with pytest.raises(QueueFullError):
        exports.enqueue(ID)


def test_cancel_whose_answer_is_lost_counts(opened: Open) -> None:
    endpoint = Endpoint()
    endpoint.after["cancel"] = [httpx2.Response(504)]
    exports = opened(endpoint).exports
    exports.create(REQUEST)
    assert exports.cancel(ID).status is State.CANCELLED
    with pytest.raises(ProtocolError, match="1003"):
        exports.cancel(ID)


class Pages:
    """A list of jobs, a page for each token."""

    def __init__(self, pages: dict[str, dict[str, Any]]) -> None:
        self.pages = pages
        self.asked: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/identity/oauth/token":
            return httpx2.Response(200, json={"access_token": "t", "expires_in": 3600})
        self.asked.append(request.url.query.decode())
        page = self.pages[request.url.params.get("nextPageToken", "")]
        return httpx2.Response(200, json={"requestId": "1", "success": True, **page})


def entries(*names: str) -> list[dict[str, str]]:
    return [{"exportId": name, "status": "Created"} for name in names]


@pytest.mark.parametrize("end", [{}, {"nextPageToken": None}, {"nextPageToken": ""}])
def test_jobs_of_all_pages(opened: Open, end: dict[str, Any]) -> None:
    pages = Pages(
        {
            "": {"result": entries("a", "b"), "nextPageToken": "p2"},
            "p2": {"result": entries("c"), "nextPageToken": "p3"},
            "p3": end,
        }
    )
    jobs = opened(pages).exports.jobs([State.CREATED, State.QUEUED])
    assert [job.export_id for job in jobs] == ["a", "b", "c"]
    assert pages.asked[0] == "batchSize=300&status=Created&status=Queued"
    assert pages.asked[1] == "batchSize=300&status=Created&status=Queued&nextPageToken=p2"


def test_jobs_in_any_state(opened: Open) -> None:
    pages = Pages({"": {"result": []}})
    assert list(opened(pages).exports.jobs()) == []
    assert pages.asked == ["batchSize=300"]


def test_jobs_that_go_round(opened: Open) -> None:
    page = {"result": entries("a"), "nextPageToken": "p"}
    with pytest.raises(AnswerError, match="returns to an earlier page"):
        list(opened(Pages({"": page, "p": page})).exports.jobs())
