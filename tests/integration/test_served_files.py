"""Files as real processes write and send them: over a bucket, and over a folder."""

import hashlib
import http.client
import os
import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import obstore
import pytest
from tests.support.activities import Template, fill, on_disk
from tests.support.forked import Forked, forked
from tests.support.object_store import SECRET, Bucket, wire_to
from tests.support.processes import children, environment
from tests.support.serving import Server
from tests.support.waiting import PATIENCE, wait_for

from outhaul.client import Exports, Session, download
from outhaul.protocol.states import State
from outhaul.settings import Settings
from outhaul.worker import Worker

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")

FILE_SIZE = resource.RLIMIT_FSIZE
RECORDS = 60_000
PART = 6_000
VARIABLES = {"OUTHAUL_LEASE_SECONDS": "1", "OUTHAUL_PART_RECORDS": str(PART)}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return fill(tmp_path_factory.mktemp("lake"), RECORDS)


@contextmanager
def served(
    lake: Template, data: Path, *options: str, bucket: Bucket | None = None
) -> Iterator[Server]:
    """Serve a data folder, which is made if it is new; with a bucket, files are there."""
    if not data.exists():
        lake.copy(data)
    log = data.with_suffix(f".{len(list(data.parent.iterdir()))}.log")
    variables = {} if bucket is None else bucket.s3.variables()
    places = () if bucket is None else ("--files-url", bucket.url)
    process = Forked.start(
        [
            *("serve", "--data", str(data), "--port", "0"),
            *("--limits", "open", *places, *options),
        ],
        err=log,
        variables=environment(**variables, **VARIABLES),
    )
    server = Server(process, data, log, lake)
    try:
        server.connect()
        yield server
    finally:
        server.calls.close()
        process.terminate()
        process.wait(PATIENCE)
    assert SECRET not in log.read_text()


def path_of(job: str) -> str:
    return f"/bulk/v1/activities/export/{job}/file.json"


def exported(server: Server) -> tuple[str, bytes]:
    """Run an export; return its id, and its file after a look at what the job says of it."""
    job = server.start_job()
    wait_for(lambda: server.ended(job))
    status = server.status(job)
    assert status["status"] == "Completed", status
    answer = server.calls.get(path_of(job), follow_redirects=True)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/csv;charset=UTF-8"
    content = answer.content
    assert status["fileSize"] == len(content)
    assert status["numberOfRecords"] == RECORDS == content.count(b"\n") - 1
    assert status["fileChecksum"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
    return job, content


def check_ranges(server: Server, job: str, content: bytes) -> None:
    size = len(content)
    for first, end in ((0, 1), (5, 2_000_000), (size // 3, size), (size - 1, size)):
        answer = server.calls.get(
            path_of(job), headers={"Range": f"bytes={first}-{end - 1}"}, follow_redirects=True
        )
        assert answer.status_code == 206
        assert answer.headers["Content-Range"] == f"bytes {first}-{end - 1}/{size}"
        assert answer.content == content[first:end]


@pytest.fixture(scope="module")
def expected(lake: Template, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What the export is over a folder."""
    with served(lake, tmp_path_factory.mktemp("folder") / "data") as server:
        return exported(server)[1]


def test_the_file_is_the_same_as_in_a_folder(
    lake: Template, tmp_path: Path, bucket: Bucket, expected: bytes
) -> None:
    with served(lake, tmp_path / "data", bucket=bucket) as server:
        job, content = exported(server)
        assert content == expected
        check_ranges(server, job, content)
        for process in (server.process.pid, server.worker):
            assert SECRET not in Path(f"/proc/{process}/cmdline").read_text()
    keys = bucket.keys()
    assert len(keys) == RECORDS // PART
    assert all(key.startswith(f"{job}/") for key in keys)
    assert bucket.sizes() == len(expected)
    assert not (tmp_path / "data" / "files").exists()
    assert bucket.uploads() == []


def test_a_worker_that_is_killed_amid_an_upload_leaves_nothing_that_is_seen(
    lake: Template, tmp_path: Path, bucket: Bucket, expected: bytes
) -> None:
    with (
        wire_to(bucket) as (reached, wire),
        served(lake, tmp_path / "data", bucket=reached) as server,
    ):
        worker = server.worker
        wire.hold(after=3_000_000)
        job = server.start_job()
        assert wire.is_held.wait(PATIENCE)
        os.kill(worker, signal.SIGKILL)
        assert server.status(job)["status"] == "Processing"
        assert server.calls.get(path_of(job)).status_code == 404
        assert bucket.sizes() < 3_000_000, "an object that is not whole is there"
        wire.mend()
        wait_for(lambda: server.worker != worker)
        wait_for(lambda: server.ended(job))
        assert server.status(job)["status"] == "Completed"
        assert server.calls.get(path_of(job)).content == expected
        assert bucket.sizes() == len(expected), "what the first attempt left is used, or removed"


@pytest.mark.parametrize(
    ("options", "variables", "named"),
    [
        (["--files-url", "http://bucket"], {}, "--files-url:"),
        (["--files-redirect"], {}, "--files-redirect:"),
        (
            ["--files-url", "s3://b"],
            {"OUTHAUL_S3_SECRET_ACCESS_KEY": SECRET},
            "OUTHAUL_S3_ACCESS_KEY_ID and",
        ),
        (
            ["--files-url", "s3://b"],
            {"OUTHAUL_S3_ENDPOINT": f"http://a:{SECRET}@b"},
            "OUTHAUL_S3_ENDPOINT:",
        ),
    ],
)
def test_a_setting_that_does_not_fit_is_named_at_the_start(
    tmp_path: Path, options: list[str], variables: dict[str, str], named: str
) -> None:
    data = tmp_path / "data"
    words = ["serve", "--data", str(data), *options]
    ended = forked(words, lambda _: None, environment(**variables))
    assert ended.status == 1
    assert ended.err.startswith(f"error: a setting is not valid: {named} ")
    assert ended.err.count("\n") == 1
    assert SECRET not in ended.err
    assert not data.exists()


def test_a_disk_that_is_full_fails_a_job_and_leaves_nothing(
    lake: Template, tmp_path: Path, expected: bytes
) -> None:
    data = tmp_path / "data"
    with served(lake, data) as server:
        # Stands in for a disk that takes half a part: what is beyond it cannot be written.
        size, limits = len(expected) * PART // RECORDS // 2, resource.getrlimit(FILE_SIZE)
        assert size > sum(path.stat().st_size for path in data.glob("outhaul.db*"))
        resource.prlimit(server.worker, FILE_SIZE, (size, limits[1]))
        job = server.start_job()
        wait_for(lambda: server.ended(job))
        status = server.status(job)
        assert status["status"] == "Failed"
        assert status["errorMsg"] == "Gave up after 3 attempts: OSError: [Errno 27] File too large"
        wait_for(lambda: not on_disk(data))
        assert server.calls.get(path_of(job)).status_code == 404
        resource.prlimit(server.worker, FILE_SIZE, limits)
        assert exported(server)[1] == expected


def test_a_job_that_cannot_reach_its_bucket_fails_and_says_so(
    lake: Template, tmp_path: Path, bucket: Bucket
) -> None:
    data = tmp_path / "data"
    with served(lake, data, "--workers", "0", bucket=bucket) as server:
        job = server.start_job()
        # Its keys are withdrawn while it runs: with these, the command would not have started.
        wrong = Bucket(bucket.server, bucket.name, secret="wrong").s3
        worker = Worker(Settings(data=data, files_url=bucket.url, s3=wrong, limits="open"))
        running = threading.Thread(target=worker.run)
        running.start()
        try:
            wait_for(lambda: server.ended(job))
        finally:
            worker.stop()
            running.join()
        status = server.status(job)
    assert status["status"] == "Failed"
    assert status["errorMsg"].startswith("Gave up after 3 attempts: ")
    assert f"cannot write to {bucket.url}: SignatureDoesNotMatch" in status["errorMsg"]


def test_a_download_is_whole_or_breaks_off_or_is_refused(
    lake: Template, tmp_path: Path, bucket: Bucket, expected: bytes
) -> None:
    with ExitStack() as stack:
        reached, wire = stack.enter_context(wire_to(bucket))
        server = stack.enter_context(served(lake, tmp_path / "data", bucket=reached))
        job, _ = exported(server)
        wire.cut(after=len(expected) // 2)
        received, error = whole(server, job)
        assert isinstance(error, http.client.IncompleteRead | ConnectionError)
        assert expected.startswith(received)
        assert len(received) < len(expected)

        wire.cut()
        refused = server.calls.get(path_of(job))
        assert refused.status_code == 503
        assert refused.json()["errors"][0]["code"] == "713"
        wire.mend()
        assert whole(server, job) == (expected, None)

        remove(bucket, bucket.keys()[0])
        gone = server.calls.get(path_of(job))
        assert (gone.status_code, gone.headers["Content-Type"]) == (
            404,
            "text/plain; charset=utf-8",
        )
        remove(bucket, bucket.keys()[-1])
        received, error = whole(server, job, "bytes=2000000-")
        assert isinstance(error, http.client.IncompleteRead | ConnectionError)
        assert expected[2_000_000:].startswith(received)


def whole(server: Server, job: str, wanted: str = "bytes=0-") -> tuple[bytes, Exception | None]:
    """Return what comes of a file, and the error that it ends with."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=PATIENCE)
    headers = {"Authorization": server.calls.headers["Authorization"], "Range": wanted}
    connection.request("GET", path_of(job), headers=headers)
    received = b""
    try:
        answer = connection.getresponse()
        assert answer.status == 206
        while content := answer.read(100_000):
            received += content
        if answer.length:
            raise http.client.IncompleteRead(b"", answer.length)
    except (http.client.HTTPException, OSError) as error:
        return received, error
    finally:
        connection.close()
    return received, None


def remove(bucket: Bucket, key: str) -> None:
    obstore.delete(bucket.store(), f"some/prefix/{key}")


def test_files_are_sent_by_the_bucket_itself_where_that_is_set(
    lake: Template, tmp_path: Path, bucket: Bucket, expected: bytes
) -> None:
    with served(lake, tmp_path / "data", bucket=bucket) as server:
        earlier, _ = exported(server)
        streamed = bucket.keys()
    with served(lake, tmp_path / "data", "--files-redirect", bucket=bucket) as server:
        job, content = exported(server)
        assert content == expected
        check_ranges(server, job, content)
        (one,) = set(bucket.keys()) - set(streamed)
        assert one.startswith(f"{job}/")

        redirect = server.calls.get(path_of(job))
        assert redirect.status_code == 307
        assert redirect.headers["Cache-Control"] == "no-store"
        address = redirect.headers["Location"]
        assert urlsplit(address).port == bucket.server.port
        followed = server.calls.get(path_of(job), follow_redirects=True)
        assert "Authorization" in followed.history[0].request.headers
        assert "Authorization" not in followed.request.headers
        assert httpx2.get(address).content == expected

        fetched = tmp_path / "fetched.csv"
        user = lake.credentials
        with Session(server.url, user.client_id, user.client_secret) as session:
            exports = Exports(session, "activities")
            download(session, exports.file_path(job), exports.status(job), fetched)
        assert fetched.read_bytes() == expected

        assert server.calls.get(path_of(earlier)).content == expected, "published before: streamed"
        assert server.calls.get(path_of("00000000-0000-0000-0000-000000000000")).status_code == 404
        assert children(server.process.pid) == [server.worker]
        assert State(server.status(earlier)["status"]).ended
