"""The calls that arrived at the endpoint."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(kw_only=True)
class Call:
    """A call as it arrived, and what became of it."""

    name: str
    """token, create, enqueue, status, cancel, list or file; unknown for any other path."""
    nth: int
    """Which call of this name it is, from 1 on."""
    method: str
    target: str
    """Path and query."""
    headers: Mapping[str, str]
    """The names are in small letters."""
    body: bytes
    kind: str = ""
    """`leads`, `activities`, `program/members` or `customobjects/<name>`."""
    job: str | None = None
    """The export id in the path; for create, that of the job that was made."""
    status: int | None = None
    """The HTTP status that was sent, or `None`."""
    faulty: bool = False
    """Whether a fault decided the answer."""
    answered: bool = False
    """Whether everything that is to be sent has been sent."""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query)

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    @property
    def token(self) -> str:
        """The access token that the call sent, or an empty text."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def __str__(self) -> str:
        mark = " (fault)" if self.faulty else ""
        return f"{self.name} {self.nth}: {self.method} {self.target} -> {self.status}{mark}"
