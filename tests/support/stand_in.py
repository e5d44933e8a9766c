"""A stand-in in this process, over a copy of a small lake."""

from dataclasses import dataclass, field
from typing import Any

import httpx2
from starlette.testclient import TestClient
from tests.support.activities import BODY

from outhaul.protocol.states import State
from outhaul.stand_in.app import StandIn

TOKEN = "the control token"


@dataclass
class Bench:
    """A stand-in, one who controls it, and a client of it."""

    stand_in: StandIn
    client: TestClient
    subscription: str = "default"
    tokens: dict[str, str] = field(default_factory=dict)

    # Control calls

    def raw(self, method: str, path: str, **request: Any) -> httpx2.Response:
        """Make a control call; `path` is what follows the path of the subscription."""
        return self.at(method, f"/_outhaul/subscriptions/{self.subscription}{path}", **request)

    def at(self, method: str, path: str, **request: Any) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {TOKEN}", **request.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **request)

    def control(self, verb: str, path: str, json: Any = None, /, **params: Any) -> Any:
        """Make a control call that succeeds; return its answer."""
        answer = self.raw(verb, path, json=json, params=params)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def refused(self, method: str, path: str, **request: Any) -> tuple[int, str, str | None]:
        """Make a control call that is refused; return status, message and parameter."""
        answer = self.raw(method, path, **request)
        body = answer.json()
        return answer.status_code, body["error"], body.get("parameter")

    def step(self, job: str, to: str, **more: Any) -> httpx2.Response:
        return self.raw("POST", f"/jobs/{job}/step", json={"to": to, **more})

    def by_hand(self) -> None:
        assert self.control("PUT", "/pace", {"mode": "by_hand"}) == {"mode": "by_hand"}

    def calls(self, **wanted: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control("GET", "/calls", **wanted)["calls"]
        return found

    # Calls of a client

    def log_in(self) -> str:
        made = self.control("POST", "/services", {})
        form = {"grant_type": "client_credentials", **made}
        answer = self.client.post("/identity/oauth/token", data=form)
        self.tokens[self.subscription] = answer.json()["access_token"]
        return self.tokens[self.subscription]

    def call(self, method: str, path: str, **request: Any) -> httpx2.Response:
        token = self.tokens.get(self.subscription) or self.log_in()
        headers = {"Authorization": f"Bearer {token}", **request.pop("headers", {})}
        return self.client.request(method, f"/bulk/v1{path}", headers=headers, **request)

    def created(self, **changes: Any) -> str:
        answer = self.call("POST", "/activities/export/create.json", json={**BODY, **changes})
        return str(answer.json()["result"][0]["exportId"])

    def queued(self, **changes: Any) -> str:
        job = self.created(**changes)
        answer = self.call("POST", f"/activities/export/{job}/enqueue.json")
        assert answer.json()["success"], answer.text
        return job

    def state(self, job: str) -> State:
        answer = self.call("GET", f"/activities/export/{job}/status.json")
        return State(answer.json()["result"][0]["status"])
