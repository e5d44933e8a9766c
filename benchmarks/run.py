"""Speed and memory of outhaul, in ratios from one run (`make bench`).

Machines are shared and noisy, so every figure is a ratio of two things measured in turn, and the
median of a few turns. Nothing here is a test.
"""

import argparse
import http.client
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode
from urllib.request import urlopen

from activities import DAYS, FIRST_DAY, write_activities  # beside this script

from outhaul.accounts.services import create_service
from outhaul.cli.options import make_settings
from outhaul.cli.store import open_database
from outhaul.client import Exports, Job, Session
from outhaul.clock import now
from outhaul.kinds.activities import DEFAULT_FIELDS

MEBIBYTE = 2**20
RANGES = (64 * MEBIBYTE, 8 * MEBIBYTE)
SINK = """
import sys, polars as pl
pl.scan_parquet(sys.argv[3:], hive_partitioning=False).select(sys.argv[2].split(",")).sink_csv(
    sys.argv[1], null_value="null", datetime_format="%Y-%m-%dT%H:%M:%SZ"
)
"""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server, and what to call it with."""

    url: str
    process: int
    client_id: str
    client_secret: str

    @property
    def worker(self) -> int:
        """The process id of its worker."""
        children = Path(f"/proc/{self.process}/task/{self.process}/children").read_text()
        return int(children.split()[0])


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=5_000_000, help="activities to generate")
    parser.add_argument("--turns", type=int, default=3, help="times that each pair is measured")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="outhaul-bench-") as folder:
        root = Path(folder)
        load(root, options.records)
        with served(root / "data") as server:
            job = compare_with_sink(server, root, options.turns)
            print(f"peak memory of the worker: {peak_megabytes(server.worker):,.0f} MB")
            compare_with_nginx(server, job, root, options.turns)


def load(root: Path, records: int) -> None:
    """Generate activities, and load them by the command that users have."""
    paths = write_activities(root / "generated", records)
    began = time.perf_counter()
    outhaul("load", "activities", *map(str, paths), "--data", str(root / "data"))
    took = time.perf_counter() - began
    shutil.rmtree(root / "generated")
    print(f"load: {records:,} activities in {took:.1f} s ({records / took:,.0f} a second)")


def compare_with_sink(server: Server, root: Path, turns: int) -> Job:
    """Measure an export, enqueue to Completed, against Polars writing the same rows to a file."""
    files = sorted(map(str, (root / "data/lake/default/activities").glob("day=*/*.parquet")))
    target = root / "sink.csv"
    exports, sinks, jobs = [], [], []
    with Session(server.url, server.client_id, server.client_secret) as session:
        for _ in range(turns):
            seconds, job = export(Exports(session, "activities"))
            exports.append(seconds)
            jobs.append(job)
            command = [sys.executable, "-c", SINK, str(target), ",".join(DEFAULT_FIELDS), *files]
            sinks.append(timed(partial(subprocess.run, command, check=True)))
            if job.file_size != target.stat().st_size:
                sys.exit(f"{job.file_size} bytes, where Polars wrote {target.stat().st_size}")
    size = jobs[-1].file_size or 0
    print(f"export: {jobs[-1].records:,} records, {size / 1e6:,.0f} MB, {jobs[-1].checksum}")
    report("enqueue to Completed, with checksum and count", exports, "bare sink_csv", sinks, size)
    target.unlink()
    return jobs[-1]


def export(exports: Exports) -> tuple[float, Job]:
    """Run one export of everything; return the seconds from enqueue to Completed."""
    window = {"startAt": f"{FIRST_DAY}T00:00:00Z", "endAt": f"{FIRST_DAY[:8]}{DAYS:02}T23:59:59Z"}
    job = exports.create({"filter": {"createdAt": window}})
    os.sync()
    began = time.perf_counter()
    exports.enqueue(job.export_id)
    while not (job := exports.status(job.export_id)).status.ended:
        time.sleep(0.02)
    return time.perf_counter() - began, job


def compare_with_nginx(server: Server, job: Job, root: Path, turns: int) -> None:
    """Measure whole and ranged downloads against nginx, where it is installed."""
    if shutil.which("nginx") is None:
        print("download: nginx is not installed, so there is nothing to compare with")
        return
    size = job.file_size or 0
    host = server.url.removeprefix("http://")
    path = f"/bulk/v1/activities/export/{job.export_id}/file.json"
    headers = {"Authorization": f"Bearer {token(server)}"}
    whole = root / "www" / "file.csv"
    whole.parent.mkdir()
    with whole.open("wb") as target:
        fetch(host, path, headers, target.write)
    with nginx(root) as other:
        comparisons: list[tuple[str, Sequence[str | None]]] = [("whole download", [None])]
        comparisons += [
            (f"download in ranges of {length // MEBIBYTE} MiB", list(stretches(size, length)))
            for length in RANGES
        ]
        for what, ranges in comparisons:
            ours, theirs = [], []
            for _ in range(turns):
                ours.append(timed(partial(fetch, host, path, headers, ranges=ranges)))
                theirs.append(timed(partial(fetch, other, "/file.csv", {}, ranges=ranges)))
            report(what, ours, "nginx", theirs, size)


def token(server: Server) -> str:
    """Return an access token."""
    query = {
        "grant_type": "client_credentials",
        "client_id": server.client_id,
        "client_secret": server.client_secret,
    }
    url = f"{server.url}/identity/oauth/token?{urlencode(query)}"
    with urlopen(url) as answer:  # noqa: S310 - it is our own server
        return str(json.load(answer)["access_token"])


def stretches(size: int, length: int) -> Iterator[str]:
    """Give the ranges of `length` bytes that make up a file."""
    for first in range(0, size, length):
        yield f"bytes={first}-{min(size, first + length) - 1}"


def fetch(
    host: str,
    path: str,
    headers: dict[str, str],
    keep: Callable[[memoryview], object] = lambda _: None,
    ranges: Sequence[str | None] = (None,),
) -> None:
    """Fetch a file over one connection, and read all of it."""
    connection = http.client.HTTPConnection(host)
    buffer = memoryview(bytearray(MEBIBYTE))
    for stretch in ranges:
        connection.request("GET", path, headers=headers | ({"Range": stretch} if stretch else {}))
        answer = connection.getresponse()
        assert answer.status == (206 if stretch else 200), answer.status
        while count := answer.readinto(buffer):
            keep(buffer[:count])
    connection.close()


def report(what: str, ours: list[float], other: str, theirs: list[float], size: int) -> None:
    """Print one comparison: the ratio of throughputs, turn by turn, and its median."""
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    shown = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    print(
        f"{what}: {size / 1e6 / statistics.median(ours):,.0f} MB/s; "
        f"{other}: {size / 1e6 / statistics.median(theirs):,.0f} MB/s; "
        f"ratio {statistics.median(ratios):.2f} ({shown})"
    )


def timed(run: Callable[[], object]) -> float:
    """Return the seconds that something takes, while nothing else is written to the disk."""
    os.sync()
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def peak_megabytes(process: int) -> float:
    """Return the most memory that a process has had resident, in MB."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError(process)


def outhaul(*words: str) -> None:
    """Run a command of ours."""
    subprocess.run([sys.executable, "-m", "outhaul", *words], check=True, stderr=subprocess.DEVNULL)


@contextmanager
def served(data: Path) -> Iterator[Server]:
    """Run a server over a data folder, without quotas."""
    with open_database(make_settings(os.environ, ("database_url",), data=data)) as database:
        made = create_service(
            database,
            "bench",
            email="bench@example.com",
            permissions=["Read-Only Activity", "Read-Only Lead"],
            moment=now(),
        )
    command = [sys.executable, "-m", "outhaul", "serve", "--data", str(data), "--port", "0"]
    environment = os.environ | {"OUTHAUL_LIMITS": "open"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        try:
            line = next(line for line in process.stderr if line.startswith("outhaul serves "))
            yield Server(
                url=line.split()[-1],
                process=process.pid,
                client_id=made.client_id,
                client_secret=made.client_secret,
            )
        finally:
            process.send_signal(signal.SIGTERM)
            process.stderr.read()


@contextmanager
def nginx(root: Path) -> Iterator[str]:
    """Run nginx over the folder `www`, and give its host and port."""
    port = 18_750 + os.getpid() % 1_000
    (root / "nginx.conf").write_text(
        f"""
        daemon off; pid {root}/nginx.pid; error_log stderr; worker_processes 1;
        events {{ worker_connections 64; }}
        http {{
            access_log off; sendfile on; tcp_nopush on;
            client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;
            fastcgi_temp_path {root}/fastcgi; uwsgi_temp_path {root}/uwsgi;
            scgi_temp_path {root}/scgi;
            server {{ listen 127.0.0.1:{port}; root {root}/www; }}
        }}
        """
    )
    root.chmod(0o755)  # its worker is another user
    with subprocess.Popen(["nginx", "-p", str(root), "-c", str(root / "nginx.conf")]) as process:
        try:
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                try:
                    http.client.HTTPConnection(f"127.0.0.1:{port}").connect()
                    break
                except OSError:
                    time.sleep(0.05)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
