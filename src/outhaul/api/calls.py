"""Declarations of the calls of the API: the route and the description of each."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response

from outhaul.protocol.parameters import Parameter
from outhaul.protocol.shapes import Shape

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
TEXT = "text/plain"

Model = Any
"""A declared answer: a model of `outhaul.protocol.answers`. A generic one has its type, as
`Page[Lead]`."""

Endpoint = Callable[[Request], Response] | Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer of a call: what it can contain under one HTTP status."""

    description: str
    models: Sequence[Model] = ()
    """The possible answers in JSON."""
    media_types: Sequence[str] = ()
    """The media types of answers that are not JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers that every answer with this status has, with their meanings."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call: its route, and its description in OpenAPI."""

    method: Literal["GET", "HEAD", "POST"]
    path: str
    endpoint: Endpoint
    operation_id: str
    tag: str
    summary: str
    replies: Mapping[int, Reply]
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    bodies: Mapping[str, Shape] = field(default_factory=dict)
    """The possible shapes of a body, by media type; empty if the call reads no body."""
    body_required: bool = True
    permissions: frozenset[str] = frozenset()
    """The caller needs one of these."""
    needs_token: bool = True


def form_of(parameters: Sequence[Parameter]) -> Shape:
    """Return the shape of a form with these parameters, which can replace the query."""
    return {
        "type": "object",
        "properties": {
            entry.name: {**entry.shape, "description": entry.description} for entry in parameters
        },
    }
