"""`outhaul serve` in a process of its own, over a data folder with activities."""

import hashlib
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.support.activities import BODY, Template, on_disk
from tests.support.forked import Forked
from tests.support.processes import children, running
from tests.support.waiting import PATIENCE, wait_for

from outhaul.protocol.states import State


@dataclass
class Server:
    """`outhaul serve` in a process of its own, and one who calls it."""

    process: Forked
    data: Path
    log: Path
    template: Template
    url: str = ""
    calls: httpx2.Client = field(default_factory=httpx2.Client)

    def connect(self) -> None:
        self.url = wait_for(self._ready)
        self.calls = httpx2.Client(base_url=self.url, timeout=PATIENCE)
        token = self.calls.get(
            "/identity/oauth/token",
            params={
                "grant_type": "client_credentials",
                "client_id": self.template.credentials.client_id,
                "client_secret": self.template.credentials.client_secret,
            },
        ).json()["access_token"]
        self.calls.headers["Authorization"] = f"Bearer {token}"

    def _ready(self) -> str | None:
        if not self.log.exists():
            return None
        assert self.process.poll() is None, self.log.read_text()
        for line in self.log.read_text().splitlines():
            if line.startswith("outhaul serves "):
                return line.removeprefix("outhaul serves ")
        return None

    @property
    def worker(self) -> int:
        """The process of its worker, when there is one."""
        return int(wait_for(lambda: children(self.process.pid))[0])

    def call(self, method: str, action: str, **request: Any) -> dict[str, Any]:
        answer = self.calls.request(method, f"/bulk/v1/activities/export/{action}.json", **request)
        return dict(answer.json())

    def start_job(self) -> str:
        made: str = self.call("POST", "create", json=BODY)["result"][0]["exportId"]
        assert self.call("POST", f"{made}/enqueue")["success"]
        return made

    def status(self, job: str) -> dict[str, Any]:
        return dict(self.call("GET", f"{job}/status")["result"][0])

    def writing(self) -> str:
        """Start jobs until one is caught with a part of its file begun; return it."""
        for _ in range(10):
            job = self.start_job()
            wait_for(partial(self.begun, job))
            if not self.ended(job):
                return job
        return pytest.fail("jobs are done too quickly")

    def begun(self, job: str) -> bool:
        return bool(on_disk(self.data, job)) or self.ended(job)

    def ended(self, job: str) -> bool:
        return State(self.status(job)["status"]).ended

    def completed(self, job: str) -> dict[str, Any]:
        """Wait for a job, and hold its file against what the job says of it."""
        wait_for(lambda: self.ended(job))
        status = self.status(job)
        assert status["status"] == "Completed", status
        content = self.calls.get(f"/bulk/v1/activities/export/{job}/file.json").content
        assert status["fileSize"] == len(content)
        assert status["numberOfRecords"] == self.template.records == content.count(b"\n") - 1
        assert status["fileChecksum"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert sum(path.stat().st_size for path in on_disk(self.data, job)) == len(content)
        return status

    def terminate(self) -> None:
        """End it as a service manager does; both processes must be gone in time."""
        worker = self.worker
        self.process.terminate()
        assert self.process.wait(PATIENCE) == 0, self.log.read_text()
        assert not running(worker)
