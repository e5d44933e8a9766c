"""What a call of the API is: its route, and all that the published description says of it."""

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
"""A declared answer: a model of `outhaul.protocol.answers`, generic ones with their type."""

Endpoint = Callable[[Request], Response] | Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a call may be answered with, under one HTTP status."""

    description: str
    models: Sequence[Model] = ()
    """The answers in JSON: one of them."""
    media_types: Sequence[str] = ()
    """The media types of answers that are no JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers that are always there, with their meaning."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call: how it is routed, and how it is described."""

    method: Literal["GET", "HEAD", "POST"]
    path: str
    endpoint: Endpoint
    operation_id: str
    tag: str
    summary: str
    replies: Mapping[int, Reply]
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Shape | None = None
    body_type: str = JSON
    body_required: bool = True
    permissions: frozenset[str] = frozenset()
    """The caller needs one of them."""
    needs_token: bool = True


def form_of(parameters: Sequence[Parameter]) -> Shape:
    """Return the shape of a form that has these parameters in place of the query."""
    return {
        "type": "object",
        "properties": {
            entry.name: {**entry.shape, "description": entry.description} for entry in parameters
        },
    }
