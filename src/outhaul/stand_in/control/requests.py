"""Reading of control calls. Whatever is wrong is answered with 4xx, and names the parameter."""

from collections.abc import Callable, Collection
from typing import Any, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.datastructures import Headers
from starlette.requests import Request

BODY_BYTES = 1_000_000
"""Largest body of a control call, in bytes."""

Value = TypeVar("Value")


class ControlError(Exception):
    """A control call is refused: the HTTP status, a message, and the wrong parameter."""

    def __init__(self, status: int, message: str, parameter: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.parameter = parameter


class Body(BaseModel):
    """The JSON object in the body of a control call. Members that are not declared are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Model = TypeVar("Model", bound=Body)


async def read_body(request: Request, model: type[Model]) -> Model:
    """Return the body of a call. No body is an empty object. Raises `ControlError`."""
    body = await read_bytes(request, BODY_BYTES)
    if not body.strip():
        return _checked(model, {})
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ControlError(400, f"the body is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ControlError(400, "the body must be a JSON object")
    return _checked(model, content)


async def read_bytes(request: Request, limit: int) -> bytes:
    """Return the body of a call. Raises `ControlError` if it has more bytes than `limit`."""
    refusal = ControlError(413, f"the body is larger than {limit} bytes")
    length = Headers(scope=request.scope).get("content-length", "")
    if length.isdecimal() and (len(length) > len(str(limit)) or int(length) > limit):
        raise refusal
    pieces: list[bytes] = []
    total = 0
    async for piece in request.stream():
        pieces.append(piece)
        total += len(piece)
        if total > limit:
            raise refusal
    return b"".join(pieces)


def read_query(request: Request, known: Collection[str]) -> dict[str, list[str]]:
    """Return the values of the parameters in the query. Raises `ControlError` for unknown names."""
    given: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise ControlError(
                400,
                f"there is no parameter {name[:100]!r}; there are: {', '.join(known)}",
                name[:100],
            )
        given.setdefault(name, []).append(value)
    return given


def read_value(name: str, text: str, parse: Callable[[str], Value], expected: str) -> Value:
    """Return the value of a parameter of the query. Raises `ControlError`."""
    try:
        return parse(text)
    except (ValueError, RecursionError, OverflowError):
        raise ControlError(400, f"{name} must be {expected}, not {text[:100]!r}", name) from None


def _checked(model: type[Model], content: dict[str, Any]) -> Model:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problem = error.errors()[0]
        parameter = ".".join(map(str, problem["loc"]))
        if problem["type"] == "extra_forbidden":
            known = ", ".join(model.model_fields) or "none"
            message = f"there is no parameter {parameter[:100]!r}; there are: {known}"
        else:
            message = f"{parameter}: {problem['msg'].removeprefix('Value error, ')}"
        raise ControlError(400, message, parameter[:100]) from None
