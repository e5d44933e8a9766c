"""Files in a bucket against files in a folder, and against the bucket itself, in ratios.

The S3 server is that of the tests, on this machine: what it costs is in all figures.
"""

import argparse
import http.client
import os
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from run import (  # beside this script
    MEBIBYTE,
    RANGES,
    Server,
    export,
    fetch,
    load,
    peak_megabytes,
    report,
    served,
    stretches,
    timed,
    token,
)
from tests.support.object_store import object_store

from outhaul.client import Exports, Job, Session
from outhaul.storage.bucket import BucketStore


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000, help="activities to generate")
    parser.add_argument("--turns", type=int, default=3, help="times that each pair is measured")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="outhaul-bench-") as folder, ExitStack() as stack:
        root = Path(folder)
        load(root, options.records)
        (root / "s3").mkdir()
        bucket = stack.enter_context(object_store(root / "s3")).bucket()
        bucket.make()
        plain = stack.enter_context(served(root / "data"))
        # Of two workers over one database, each would take the other's jobs.
        over = root / "over"
        over.mkdir()
        (over / "outhaul.db").write_bytes((root / "data/outhaul.db").read_bytes())
        (over / "lake").symlink_to(root / "data/lake")
        os.environ.update(bucket.s3.variables() | {"OUTHAUL_FILES_URL": bucket.url})
        server = stack.enter_context(served(over))
        turns = range(options.turns)
        ours, theirs = [exported(server) for _ in turns], [exported(plain) for _ in turns]
        job = ours[-1][1]
        size = job.file_size or 0
        report(
            "enqueue to Completed, in a bucket",
            [seconds for seconds, _ in ours],
            "in a folder",
            [seconds for seconds, _ in theirs],
            size,
        )
        compare_downloads(server, job, BucketStore(bucket.location), options.turns)
        print(f"peak memory of the worker: {peak_megabytes(server.worker):,.0f} MB", end="; ")
        print(f"with a folder {peak_megabytes(plain.worker):,.0f} MB")
        print(f"peak memory of the server: {peak_megabytes(server.process):,.0f} MB")


def exported(server: Server) -> tuple[float, Job]:
    """Run one export; return the seconds from enqueue to Completed, and the job."""
    with Session(server.url, server.client_id, server.client_secret) as session:
        return export(Exports(session, "activities"))


def compare_downloads(server: Server, job: Job, files: BucketStore, turns: int) -> None:
    """Measure downloads through a server against those of the same objects, one by one."""
    size = job.file_size or 0
    host = server.url.removeprefix("http://")
    path = f"/bulk/v1/activities/export/{job.export_id}/file.json"
    headers = {"Authorization": f"Bearer {token(server)}"}
    keys = sorted(each.key for each in files.list() if each.key.startswith(job.export_id))
    addresses = [files.signed_url(key) for key in keys]
    for length in (None, *RANGES):
        ranges = [None] if length is None else list(stretches(size, length))
        ours, theirs = [], []
        for _ in range(turns):
            ours.append(timed(partial(fetch, host, path, headers, ranges=ranges)))
            theirs.append(timed(partial(fetch_all, addresses)))
        what = "whole" if length is None else f"in ranges of {length // MEBIBYTE} MiB"
        report(f"download {what}", ours, f"the bucket, {len(keys)} objects", theirs, size)


def fetch_all(addresses: list[str]) -> None:
    """Fetch objects one after the other, over one connection."""
    connection = http.client.HTTPConnection(urlsplit(addresses[0]).netloc)
    buffer = memoryview(bytearray(MEBIBYTE))
    for address in addresses:
        place = urlsplit(address)
        connection.request("GET", f"{place.path}?{place.query}")
        answer = connection.getresponse()
        assert answer.status == 200, answer.status
        while answer.readinto(buffer):
            pass
    connection.close()


if __name__ == "__main__":
    main()
