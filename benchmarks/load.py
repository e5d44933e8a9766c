"""Many clients at once against a real server (`make load SECONDS=60 CLIENTS=500`).

Each client creates, enqueues, polls, lists, downloads and cancels export jobs of the sample
subscription until the time is up. Printed are the calls a second, how long each kind of call took,
the errors, and the memory of server and worker. The exit status is 1 if any call failed.
"""

import argparse
import asyncio
import json
import os
import random
import re
import sys
import time
from collections import Counter, defaultdict
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Never
from urllib.parse import urlsplit

import uvloop
from calling import Answered, Connection  # beside this script
from run import Server, served, token

from outhaul.cli.options import make_settings
from outhaul.cli.store import open_database
from outhaul.clock import now
from outhaul.protocol.instants import render_instant
from outhaul.sample.loading import load_sample
from outhaul.server.listener import connections_possible

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SHARE_CANCELLED = 0.2
SHARE_LISTED = 0.1
SAMPLE_SECONDS = 0.2
WARM_UP = argparse.Namespace(seconds=5, clients=4, poll=0.5)
SHOWN_ERRORS = 20


class Measured:
    """What was measured."""

    def __init__(self, server: Server) -> None:
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self.errors: Counter[tuple[str, str]] = Counter()
        self.jobs: Counter[str] = Counter()
        self._processes = {"server": server.process, "worker": server.worker}
        self.before = self._memory()
        self.most = dict(self.before)

    async def watch(self) -> None:
        """Note the most memory that the processes have."""
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            for name, found in self._memory().items():
                self.most[name] = max(found, self.most[name])

    def report(self, took: float) -> None:
        """Print everything."""
        after = self._memory()
        count = sum(map(len, self.seconds.values()))
        jobs = ", ".join(f"{count:,} {how}" for how, count in sorted(self.jobs.items()))
        print(f"{count:,} calls in {took:.1f} s: {count / took:,.0f} a second; jobs: {jobs}")
        print(f"{'call':10}{'count':>9}{'p50 ms':>9}{'p99 ms':>9}{'most ms':>9}")
        for name, seconds in sorted(self.seconds.items()):
            found = sorted(seconds)
            shown = (found[int(len(found) * share)] for share in (0.5, 0.99))
            times = "".join(f"{value * 1000:9,.0f}" for value in (*shown, found[-1]))
            print(f"{name:10}{len(found):9,}{times}")
        for name in self.before:
            values = (self.before[name], self.most[name], after[name])
            before, most, last = (f"{value:,.0f}" for value in values)
            print(f"memory of the {name}: {before} MB before, {most} at most, {last} after")
        print(f"errors: {self.errors.total():,}")
        for (name, what), number in self.errors.most_common(SHOWN_ERRORS):
            print(f"  {number:,} times {name}: {what}")

    def _memory(self) -> dict[str, float]:
        return {name: resident_megabytes(pid) for name, pid in self._processes.items()}


class Client:
    """One client, with one connection."""

    def __init__(
        self, number: int, server: Server, access: str, measured: Measured, poll: float
    ) -> None:
        url = urlsplit(server.url)
        self._connection = Connection(url.hostname or "", url.port or 0)
        self._headers = {"Authorization": f"Bearer {access}", "Content-Type": "application/json"}
        self._measured = measured
        self._poll = poll
        self._chance = random.Random(number)  # noqa: S311 - the same load each time

    async def run(self, until: float) -> None:
        """Run one export job after the other."""
        await asyncio.sleep(self._chance.random() * self._poll)
        while time.monotonic() < until:
            with suppress(Failed):
                await self._job(until)
            await asyncio.sleep(self._pause())
        self._connection.close()

    async def _job(self, until: float) -> None:
        kind = self._chance.choice(("activities", "leads"))
        jobs = f"/bulk/v1/{kind}/export"
        [job] = await self._result("create", "POST", f"{jobs}/create.json", _body(kind))
        path = f"{jobs}/{job['exportId']}"
        await self._result("enqueue", "POST", f"{path}/enqueue.json")
        cancelled = self._chance.random() < SHARE_CANCELLED
        if self._chance.random() < SHARE_LISTED:
            await self._result("list", "GET", f"{jobs}.json?batchSize=20")
        while job["status"] not in {"Completed", "Failed", "Cancelled"}:
            if cancelled or time.monotonic() >= until:
                await self._cancel(path)
                return
            await asyncio.sleep(self._pause())
            [job] = await self._result("status", "GET", f"{path}/status.json")
        self._measured.jobs[job["status"]] += 1
        if job["status"] == "Completed":
            await self._download(path, job)
        else:
            self._fail("status", f"the job is {job['status']}: {job.get('errorMsg')}")

    async def _cancel(self, path: str) -> None:
        answered = await self._call("cancel", "POST", f"{path}/cancel.json")
        found = answered.json()
        if found["success"]:
            self._measured.jobs["Cancelled"] += 1
        elif "is Completed and cannot be cancelled" not in found["errors"][0]["message"]:
            self._fail("cancel", str(found["errors"][0]))

    async def _download(self, path: str, job: dict[str, Any]) -> None:
        answered = await self._call("download", "GET", f"{path}/file.json")
        if (answered.size, f"sha256:{answered.sha256}") != (job["fileSize"], job["fileChecksum"]):
            self._fail("download", "other bytes than announced")

    async def _result(self, name: str, method: str, path: str, body: bytes = b"") -> Any:  # noqa: ANN401 - JSON
        found = (await self._call(name, method, path, body)).json()
        if not found["success"]:
            error = found["errors"][0]
            self._fail(name, f"{error['code']} {error['message']}")
        return found.get("result", [])

    async def _call(self, name: str, method: str, path: str, body: bytes = b"") -> Answered:
        try:
            answered, seconds = await self._connection.call(method, path, self._headers, body)
        except OSError as error:
            self._fail(name, str(error))
        self._measured.seconds[name].append(seconds)
        if answered.status != 200:
            self._fail(name, f"status {answered.status}")
        return answered

    def _fail(self, name: str, what: str) -> Never:
        self._measured.errors[name, ID.sub("…", what)] += 1
        raise Failed

    def _pause(self) -> float:
        return self._poll * (0.5 + self._chance.random())


class Failed(Exception):  # noqa: N818 - not an error of this program
    """A call failed, and is counted."""


def main() -> None:
    """Run the load, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long clients start jobs")
    parser.add_argument("--clients", type=int, default=500, help="clients at once")
    parser.add_argument("--poll", type=float, default=2, help="seconds between a client's calls")
    options = parser.parse_args()
    connections_possible()
    with TemporaryDirectory(prefix="outhaul-load-") as folder:
        data = Path(folder) / "data"
        settings = make_settings(os.environ, ("database_url",), data=data)
        with open_database(settings) as database:
            load_sample(database, settings, now(), lambda *_: None)
        with served(data) as server:
            # So that the memory before the load is that of processes that have worked.
            uvloop.run(_run(server, Measured(server), WARM_UP))
            measured = Measured(server)
            began = time.perf_counter()
            uvloop.run(_run(server, measured, options))
            measured.report(time.perf_counter() - began)
    if measured.errors or not measured.jobs["Completed"]:
        sys.exit(1)


async def _run(server: Server, measured: Measured, options: argparse.Namespace) -> None:
    watching = asyncio.create_task(measured.watch())
    until = time.monotonic() + options.seconds
    access = token(server)
    clients = (
        Client(number, server, access, measured, options.poll) for number in range(options.clients)
    )
    await asyncio.gather(*(client.run(until) for client in clients))
    watching.cancel()


def _body(kind: str) -> bytes:
    end = now()
    window = {
        "startAt": render_instant(end - timedelta(days=7)),
        "endAt": render_instant(end),
    }
    fields = {"fields": ["id", "email", "createdAt"]} if kind == "leads" else {}
    return json.dumps({**fields, "filter": {"createdAt": window}}).encode()


def resident_megabytes(process: int) -> float:
    """Return the memory that a process has resident, in MB."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError(process)


if __name__ == "__main__":
    main()
