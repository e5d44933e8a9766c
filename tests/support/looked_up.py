"""A session of the client whose look-ups are answered by functions, without a network."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import httpx2

from outhaul.client import Backoff, Patience, Session

Params = Mapping[str, str]
Answering = Callable[[Params], httpx2.Response]


def well(*result: Any, **more: Any) -> httpx2.Response:
    """Return a success with these entries."""
    content = {"requestId": "1#1", "success": True, "result": result, **more}
    return httpx2.Response(200, text=json.dumps(content))


def refused(code: str, message: str = "no") -> httpx2.Response:
    errors = [{"code": code, "message": message}]
    return httpx2.Response(200, json={"requestId": "1#1", "success": False, "errors": errors})


class LookedUp:
    """An endpoint. `answers` has a function for each path, which gets the parameters.

    Other paths are refused with 610.
    """

    def __init__(self, answers: Mapping[str, Answering]) -> None:
        self.answers = dict(answers)
        self.calls: list[tuple[str, Params]] = []
        self.requests: list[httpx2.Request] = []

    def session(self) -> Session:
        return Session(
            "http://host",
            "id",
            "secret-of-it",
            transport=httpx2.MockTransport(self._answer),
            patience=Patience(sleep=lambda _: None),
            backoff=Backoff(attempts=2),
        )

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        if path.endswith("/identity/oauth/token"):
            return httpx2.Response(200, json={"access_token": "token", "expires_in": 3600})
        body = request.read().decode()
        params = dict(request.url.params) | dict(parse_qsl(body, keep_blank_values=True))
        self.requests.append(request)
        self.calls.append((path, params))
        answer = self.answers.get(path)
        return refused("610", "Requested resource not found") if answer is None else answer(params)
