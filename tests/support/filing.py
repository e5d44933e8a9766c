"""A simulated endpoint with records, whose jobs have files with those of their window."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from tests.support.simulated import Simulated, SimulatedJob

from outhaul.protocol.dialects import line
from outhaul.protocol.instants import parse_instant, render_instant

START = datetime(2025, 1, 1, tzinfo=UTC)


class Killed(BaseException):
    """The process is no more: no call reaches the endpoint from now on."""


class FiledJob(SimulatedJob):
    """A job with a file."""

    content: bytes = b""
    count: int = 0

    @property
    def size(self) -> int:
        return len(self.content)

    @property
    def seconds(self) -> float:
        return 5

    def to_answer(self) -> dict[str, Any]:
        entry = super().to_answer()
        if self.state == "Completed":
            digest = hashlib.sha256(self.content).hexdigest()
            entry |= {"numberOfRecords": self.count, "fileChecksum": f"sha256:{digest}"}
        return entry


class Filing(Simulated):
    """Leads of a year, created every six hours with ids in no order, and edits that come later."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.leads: list[dict[str, Any]] = [
            {
                "id": str(number * 389 % 1460),
                "email": f"lead {number}, A",
                "createdAt": START + timedelta(hours=6 * number),
            }
            for number in range(1460)
        ]
        self.expired: set[str] = set()
        """Jobs whose file is gone."""
        self.kill_at: Callable[[str, int], bool] = lambda _name, _nth: False
        self.killed = False

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        if self.killed:
            raise Killed
        path = request.url.path
        if not path.endswith("/file.json"):
            return super().answer(request)
        export_id = path.split("/")[-2]
        self._counts["file"] = nth = self._counts.get("file", 0) + 1
        self.fault("file", nth)
        job = next(job for job in self.jobs if job.id == export_id)
        assert isinstance(job, FiledJob)
        if export_id in self.expired:
            return httpx2.Response(404, text="not found")
        self.after("file", nth)
        return httpx2.Response(200, headers={"Content-Type": "text/csv"}, content=job.content)

    def kill(self, name: str, nth: int, *, before: bool) -> None:
        """Let the client die when a call comes, or when it has had its effect."""

        def die(call: str, number: int) -> None:
            if (call, number) == (name, nth):
                self.killed = True
                raise Killed

        self.fault = lambda call, number: die(call, number) if before else None
        self.after = (lambda _call, _number: None) if before else die

    def revive(self) -> None:
        """Let another run call the endpoint."""
        self.killed = False
        self.fault = lambda _name, _nth: None
        self.after = lambda _name, _nth: None

    def rendered(self, start: str, end: str, fields: Sequence[str]) -> tuple[bytes, int]:
        """Return the file of the leads that were created in a window, and their number."""
        first, last = parse_instant(start), parse_instant(end)
        found = sorted(
            (lead for lead in self.leads if first <= lead["createdAt"] <= last),
            key=lambda lead: int(lead["id"]),
        )
        text = line(fields, ",")
        for lead in found:
            values = (lead[name] for name in fields)
            cells = [
                render_instant(value) if isinstance(value, datetime) else value for value in values
            ]
            text += line(cells, ",")
        return text.encode(), len(found)

    def _new(self, kind: str, request: Mapping[str, Any], user: str) -> SimulatedJob:
        job = FiledJob(
            id=f"{next(self._number):08x}",
            kind=kind,
            request=json.loads(json.dumps(request)),
            created_at=self.now(),
            user=user,
        )
        if window := request.get("filter", {}).get("createdAt"):
            fields = request["fields"]
            job.content, job.count = self.rendered(window["startAt"], window["endAt"], fields)
            headers = request.get("columnHeaderNames", {})
            named = line([headers.get(name, name) for name in fields], ",").encode()
            job.content = named + job.content.partition(b"\n")[2]
        self.jobs.append(job)
        return job
