"""The protocol by the standard library alone, as its pages describe it."""

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from tests.support.waiting import PATIENCE

POLL_SECONDS = 0.2
NO_HEADERS: Mapping[str, str] = {}


class Plain:
    """Calls of one custom service at one endpoint."""

    def __init__(self, url: str, client_id: str, client_secret: str) -> None:
        self._url = url
        query = urlencode(
            {
                "grant_type": "client_credentials",
                "client_id": client_id,
                "client_secret": client_secret,
            }
        )
        with urlopen(f"{url}/identity/oauth/token?{query}") as answer:  # noqa: S310 - the loopback
            self._token = json.load(answer)["access_token"]

    def export(self, kind: str, request: Mapping[str, Any]) -> str:
        """Run an export to its end; return its id."""
        export_id = self.begin(kind, request)
        self.completed(kind, export_id)
        return export_id

    def begin(self, kind: str, request: Mapping[str, Any]) -> str:
        """Create an export and put it into the queue; return its id."""
        base = f"/bulk/v1/{kind}/export"
        job = self._job(f"{base}/create.json", json.dumps(request).encode())
        self._job(f"{base}/{job['exportId']}/enqueue.json", b"")
        return str(job["exportId"])

    def completed(self, kind: str, export_id: str) -> dict[str, Any]:
        """Wait until an export has come to its end; return how it is then."""
        return self.reached(kind, export_id, "Completed")

    def reached(self, kind: str, export_id: str, state: str) -> dict[str, Any]:
        """Wait until an export is in a state; return it. None is passed by unseen for long."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            job = self._job(f"/bulk/v1/{kind}/export/{export_id}/status.json")
            if job["status"] == state:
                return job
            assert job["status"] in ("Queued", "Processing"), job
            time.sleep(POLL_SECONDS)
        raise TimeoutError(export_id)

    def file(self, kind: str, export_id: str, byte_range: str | None = None) -> bytes:
        """Return the file of an export, or some bytes of it."""
        path = f"/bulk/v1/{kind}/export/{export_id}/file.json"
        return self._call(path, headers={"Range": byte_range} if byte_range else {})

    def _job(self, path: str, body: bytes | None = None) -> dict[str, Any]:
        answer = json.loads(self._call(path, body, {"Content-Type": "application/json"}))
        assert answer["success"], answer
        (job,) = answer["result"]
        return dict(job)

    def _call(
        self, path: str, body: bytes | None = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> bytes:
        headers = {**headers, "Authorization": f"Bearer {self._token}"}
        request = Request(self._url + path, body, headers)  # noqa: S310 - the loopback
        with urlopen(request) as answer:  # noqa: S310 - the loopback
            return bytes(answer.read())
