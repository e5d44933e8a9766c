"""What a bucket alone does: faults on the way, uploads that end early, secrets, addresses."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from tests.support.azure import Container
from tests.support.object_store import SECRET, Bucket, Wire, wire_to

from outhaul.protocol.dialects import MEDIA_TYPE
from outhaul.storage.bucket import PART_CHUNK_BYTES, WHOLE_CHUNK_BYTES, BucketStore
from outhaul.storage.store import FilesError
from outhaul.store_access import S3

PATIENCE = {"read_patience": timedelta(seconds=0.2), "write_patience": timedelta(seconds=0.5)}
KEY = "job/attempt/000000"
LARGE = 4 * PART_CHUNK_BYTES
KILLED_WRITER = """
import os, sys
from outhaul.storage.bucket import BucketStore
from outhaul.store_access import S3
from outhaul.storage.location import Location
access = S3.model_validate(S3.given_by(os.environ))
files = BucketStore(Location(url=sys.argv[1], access=access))
with files.writer("job/attempt/000000", media_type="text/csv", cached=True) as target:
    for _ in range(40):
        target.write(bytes(2**20))
    print("written", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def files(bucket: Bucket) -> Iterator[BucketStore]:
    with closing(BucketStore(bucket.location, **PATIENCE)) as opened:
        yield opened


@pytest.fixture
def wired(any_bucket: Bucket | Container) -> Iterator[tuple[BucketStore, Wire]]:
    """A store that is reached over a wire."""
    with (
        wire_to(any_bucket) as (reached, wire),
        closing(BucketStore(reached.location, **PATIENCE)) as opened,
    ):
        yield opened, wire


def wait_for(what: Callable[[], bool]) -> None:
    last = time.monotonic() + 60
    while not what():
        assert time.monotonic() < last
        time.sleep(0.01)


def put(files: BucketStore, content: bytes, key: str = KEY, *, cached: bool = False) -> None:
    with files.writer(key, media_type=MEDIA_TYPE, cached=cached) as target:
        for first in range(0, len(content), 2**20):
            target.write(content[first : first + 2**20])


@pytest.mark.parametrize("cached", [False, True])
def test_an_upload_that_is_left_is_aborted(
    files: BucketStore,
    bucket: Bucket,
    cached: bool,
) -> None:
    def write() -> None:
        with files.writer(KEY, media_type=MEDIA_TYPE, cached=cached) as target:
            for _ in range(80):
                target.write(bytes(2**20))
            # An abort that comes while a chunk is on its way may miss it, as S3's pages say.
            chunks = 80 * 2**20 // (PART_CHUNK_BYTES if cached else WHOLE_CHUNK_BYTES)
            wait_for(lambda: bucket.uploaded_chunks() == chunks)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert bucket.uploads() == bucket.keys() == []
    put(files, b"whole")
    assert files.read(KEY, 0, 5) == b"whole"


def test_what_a_killed_writer_left_cannot_be_seen(files: BucketStore, bucket: Bucket) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED_WRITER, bucket.url],
        env=os.environ | bucket.s3.variables(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"written\n"
        writer.kill()
    assert bucket.uploads(), "it was killed too early: this test shows nothing any more"
    assert bucket.keys() == []
    put(files, b"whole")
    assert bucket.keys() == [KEY]
    files.delete("job")
    assert bucket.keys() == []


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("size", [10, LARGE])
def test_where_the_bucket_is_away_writing_fails_and_leaves_nothing(
    wired: tuple[BucketStore, Wire],
    any_bucket: Bucket | Container,
    size: int,
    cached: bool,
) -> None:
    files, wire = wired
    wire.cut()
    with pytest.raises(FilesError, match=r"^cannot write to (s3|az)://[^\n]*$"):
        put(files, bytes(size), cached=cached)
    assert any_bucket.keys() == []
    wire.mend()
    put(files, bytes(size), cached=cached)
    assert any_bucket.keys() == [KEY]


def test_an_upload_that_breaks_off_fails_and_leaves_nothing(
    wired: tuple[BucketStore, Wire], any_bucket: Bucket | Container
) -> None:
    files, wire = wired

    def write() -> None:
        with files.writer(KEY, media_type=MEDIA_TYPE, cached=True) as target:
            for n in range(10_000):
                target.write(bytes(2**20))
                if n == LARGE // 2**20:
                    wire.cut()

    with pytest.raises(FilesError, match="cannot write to"):
        write()
    assert any_bucket.keys() == []


def test_where_the_bucket_is_away_everything_else_fails_as_well(
    wired: tuple[BucketStore, Wire],
) -> None:
    files, wire = wired
    put(files, b"content")
    wire.cut()
    for call in (
        files.check,
        lambda: files.read(KEY, 0, 1),
        lambda: list(files.read_back(KEY, 1)),
        lambda: list(files.list()),
        lambda: files.delete("job"),
    ):
        with pytest.raises(FilesError, match=r"^cannot [a-z ]+ (s3|az)://[^\n]+$"):
            call()
    wire.mend()
    assert files.read(KEY, 0, 7) == b"content"


def test_a_bucket_that_there_is_not_is_no_missing_part(any_bucket: Bucket | Container) -> None:
    other = replace(any_bucket, name="bucket-that-nobody-made")
    with closing(BucketStore(other.location, **PATIENCE)) as files:
        with pytest.raises(FilesError, match=r"NoSuchBucket|ContainerNotFound"):
            files.check()
        with pytest.raises(FilesError, match=r"NoSuchBucket|ContainerNotFound"):
            files.read(KEY, 0, 1)


def test_what_is_not_set_is_taken_from_the_variables_of_aws(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {
        "AWS_ENDPOINT_URL": str(bucket.s3.endpoint),
        "AWS_REGION": str(bucket.s3.region),
        "AWS_ACCESS_KEY_ID": str(bucket.s3.access_key_id),
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }
    for name, value in known.items():
        monkeypatch.setenv(name, value)
    with closing(BucketStore(replace(bucket.location, access=S3()), **PATIENCE)) as files:
        put(files, b"content")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with closing(BucketStore(bucket.location, **PATIENCE)) as files:
        assert files.read(KEY, 0, 7) == b"content", "our settings come first"


def test_the_secret_is_shown_nowhere(bucket: Bucket) -> None:
    wrong = replace(bucket, secret="another-secret-of-tests")
    with closing(BucketStore(wrong.location, **PATIENCE)) as files:
        with pytest.raises(FilesError, match="SignatureDoesNotMatch") as refused:
            files.check()
        with pytest.raises(FilesError) as not_written:
            put(files, b"content")
        shown = [str(files), repr(vars(files)), repr(wrong.s3), str(wrong.s3), repr(refused.value)]
        shown += [repr(not_written.value), repr(not_written.value.__cause__)]
    assert not any("another-secret" in text for text in shown)
    assert wrong.s3.variables()["OUTHAUL_S3_SECRET_ACCESS_KEY"] == "another-secret-of-tests"


def test_what_was_written_here_is_not_fetched_to_be_read_back(
    wired: tuple[BucketStore, Wire],
) -> None:
    files, wire = wired
    content = os.urandom(PART_CHUNK_BYTES + 1)
    put(files, content, cached=True)
    wire.cut()
    assert b"".join(files.read_back(KEY, len(content))) == content
    with pytest.raises(FilesError):
        list(files.read_back(KEY, len(content)))


def test_a_full_disk_is_named_and_leaves_nothing(
    files: BucketStore, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It takes what fits into a buffer, and then fails as a full disk does.
    full = Path("/dev/full")
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: full.open("r+b", buffering=2**20))
    with pytest.raises(FilesError, match="No space left on device"):
        put(files, bytes(LARGE), cached=True)
    assert bucket.keys() == bucket.uploads() == []


def test_an_address_is_enough_to_read_an_object_whole_or_in_ranges(files: BucketStore) -> None:
    content = os.urandom(100_000)
    put(files, content)
    address = files.signed_url(KEY)
    assert SECRET not in address
    with urlopen(address) as answer:  # noqa: S310 - our own
        assert answer.read() == content
        assert answer.headers["Content-Type"] == "text/csv;charset=UTF-8"
    request = Request(address, headers={"Range": "bytes=10-99"})  # noqa: S310 - same
    with urlopen(request) as answer:  # noqa: S310 - same
        assert (answer.status, answer.read()) == (206, content[10:100])
    with pytest.raises(HTTPError) as refused:
        urlopen(address.replace("X-Amz-Expires=600", "X-Amz-Expires=6000"))  # noqa: S310 - same
    with refused.value as answer:
        assert answer.code == 403
