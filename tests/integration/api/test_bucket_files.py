"""File calls over a bucket: redirected, streamed, and unavailable; held to our own description."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest
from starlette.datastructures import Headers
from tests.support.instance import Instance, Serve
from tests.support.object_store import Bucket
from tests.support.ports import HOST, free_ports

Over = Callable[..., Instance]


@pytest.fixture
def over(serve: Serve, bucket: Bucket) -> Iterator[Over]:
    """Return a function that starts an instance with its export files in a bucket."""
    with ExitStack() as stack:
        source = serve()

        def start(**changes: Any) -> Instance:
            places = {"files_url": bucket.url, "s3": bucket.s3} | changes
            settings = source.settings.model_copy(update=places)
            made = Instance(settings, source.clock, source.credentials, None)
            return stack.enter_context(made.running())

        yield start


def test_a_redirected_file_call_gives_the_address_of_the_file(over: Over) -> None:
    instance = over(files_redirect=True)
    job = instance.completed("activities")
    answer = instance.file(job["exportId"], "activities")
    assert answer.status_code == 307
    assert answer.headers["Cache-Control"] == "no-store"
    content = httpx2.get(answer.headers["Location"]).content
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == job["fileChecksum"]


def test_without_redirects_the_server_sends_the_file(over: Over) -> None:
    instance = over()
    job = instance.completed("activities")
    answer = instance.file(job["exportId"], "activities", headers={"Range": "bytes=-10"})
    assert (answer.status_code, len(answer.content)) == (206, 10)


@pytest.mark.parametrize("redirect", [False, True])
def test_a_bucket_that_cannot_be_reached_is_said_so(
    over: Over, bucket: Bucket, redirect: bool
) -> None:
    job = over().completed("activities")
    (port,) = free_ports(1)
    closed = bucket.s3.model_copy(update={"endpoint": f"http://{HOST}:{port}"})
    instance = over(s3=closed, files_redirect=redirect)
    # An address is signed without a call of the bucket, which then says itself that it is away.
    expected = 307 if redirect else 503
    instance.client.event_hooks = {}
    answer = instance.file(job["exportId"], "activities")
    assert answer.status_code == expected
    path = answer.request.url.path
    headers = Headers(raw=answer.headers.raw)
    instance.description.check("GET", path, answer.status_code, headers, answer.content)
    if expected == 503:
        assert answer.json()["errors"][0]["code"] == "713"
