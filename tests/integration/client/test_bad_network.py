"""Extracts over a network that fails at random: each file is right, or there is none.

OUTHAUL_BAD_EXTRACTS=1000 says how many, and OUTHAUL_BAD_SEED another seed.
"""

import os
import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.support.bad_network import BadNetwork, Harm
from tests.support.misbehaving import CLIENT_ID, CLIENT_SECRET, Endpoint
from tests.support.misbehaving.jobs import ExportJob

from outhaul.client import (
    ClientError,
    DownloadError,
    Exports,
    Job,
    Parallel,
    Patience,
    Session,
    download_into,
    open_output,
)

EXTRACTS = int(os.environ.get("OUTHAUL_BAD_EXTRACTS", "12"))
_ID = re.compile(r"[0-9a-f-]{36,}")
SEED = int(os.environ.get("OUTHAUL_BAD_SEED", "1"))
THREADS = 4
PARALLEL = Parallel(large_bytes=200_000, range_bytes=100_000, most_ranges=8, slow_seconds=0)


def file_of(number: int) -> bytes:
    """Return the file of an extract: of 0.1, 0.5 or, seldom, 5 MB, and unlike all others."""
    records = 200_000 if number % 50 == 7 else 4000 if number % 3 else 20_000
    return b"id,email\n" + b"".join(b"%d,p%d@example.com\n" % (number, n) for n in range(records))


class Distinct(Endpoint):
    """An endpoint whose jobs have ids and files of their own."""

    def add_job(self, *given: Any, **named: Any) -> ExportJob:
        job = super().add_job(*given, **named)
        job.id = str(uuid4())
        job.file = file_of(job.request["filter"]["staticListId"])
        return job


def extract(url: str, folder: Path, number: int) -> str:
    """Run one extract, and return how it ended.

    A job whose file is refused is taken up once more, as the message of the command advises: what
    was altered may be what the endpoint told of the file.
    """
    target = folder / f"{number}.csv"
    request = {"fields": ["id", "email"], "filter": {"staticListId": number}}
    # Pauses are shortened: a thousand extracts wait often.
    patience = Patience(sleep=lambda seconds: time.sleep(seconds / 50))
    with Session(url, CLIENT_ID, CLIENT_SECRET, patience=patience) as session:
        exports = Exports(session, "leads")
        try:
            job = exports.run(request, poll_seconds=1)
            how = "right"
            try:
                fetch(session, exports, job, target)
            except DownloadError:
                assert not target.exists()
                how = "right when taken up"
                fetch(session, exports, exports.resume(job.export_id), target)
        except ClientError as error:
            assert not target.exists()
            return f"failed: {type(error).__name__}: {_ID.sub('ID', str(error))[:120]}"
    is_right = target.read_bytes() == file_of(number)
    target.unlink()
    return how if is_right else "wrong"


def fetch(session: Session, exports: Exports, job: Job, target: Path) -> None:
    path = exports.file_path(job.export_id)
    with open_output(target) as output:
        download_into(session, path, job, output, parallel=PARALLEL)


def test_each_file_is_right_or_there_is_none(tmp_path: Path) -> None:
    endpoint = Distinct(queue_limit=10 * EXTRACTS)
    with endpoint.serving() as url:
        network = BadNetwork(url, seed=SEED)
        with network.serving() as bad, ThreadPoolExecutor(THREADS) as threads:
            ended = list(threads.map(partial(extract, bad, tmp_path), range(EXTRACTS)))
    counts = Counter(ended)
    print(counts, dict(network.done))  # noqa: T201 - for those who run thousands
    assert not counts["wrong"], counts
    assert counts["right"] + counts["right when taken up"] >= 0.9 * EXTRACTS, counts
    assert network.done[Harm.NONE] < network.done.total()
