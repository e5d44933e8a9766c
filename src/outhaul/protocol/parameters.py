"""Declarations of the parameters that calls take in the query, the path or a header."""

from dataclasses import dataclass
from typing import Any, Literal

from outhaul.protocol.shapes import BOOLEAN, INTEGER, TEXT, Shape, one_of

_SEVERAL = "Repeat the parameter, or separate several values with commas."


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter in the query or the path of a call, or in a header."""

    name: str
    shape: Shape
    description: str
    required: bool = False
    location: Literal["query", "path", "header"] = "query"

    def to_openapi(self) -> dict[str, Any]:
        """Return the parameter object of the OpenAPI description."""
        return {
            "name": self.name,
            "in": self.location,
            "required": self.required,
            "description": self.description,
            "schema": self.shape,
        }


def path_parameter(name: str, shape: Shape, description: str) -> Parameter:
    """Return a parameter that is a segment of the path."""
    return Parameter(
        name=name, shape=shape, description=description, required=True, location="path"
    )


def integer(name: str, description: str) -> Parameter:
    """Return a query parameter that is one integer."""
    return Parameter(name=name, shape=INTEGER, description=description)


def integers(name: str, description: str, *, required: bool = False) -> Parameter:
    """Return a query parameter that is several integers."""
    shape = {"type": "array", "items": INTEGER}
    return Parameter(
        name=name, shape=shape, description=f"{description} {_SEVERAL}", required=required
    )


def texts(name: str, description: str, *, required: bool = False) -> Parameter:
    """Return a query parameter that is several texts."""
    shape = {"type": "array", "items": {"type": "string"}}
    return Parameter(
        name=name, shape=shape, description=f"{description} {_SEVERAL}", required=required
    )


def text(name: str, description: str, *, required: bool = False) -> Parameter:
    """Return a query parameter that is one text."""
    return Parameter(name=name, shape=TEXT, description=description, required=required)


def choice(name: str, *names: str, description: str) -> Parameter:
    """Return a query parameter that is one of these names."""
    return Parameter(
        name=name, shape=one_of(*names, description=description), description=description
    )


def instant(name: str, description: str, *, required: bool = False) -> Parameter:
    """Return a query parameter that is a moment."""
    shape = {"type": "string", "examples": ["2026-01-31T23:59:59Z"]}
    described = f"{description} ISO 8601; UTC if it has no offset."
    return Parameter(name=name, shape=shape, description=described, required=required)


def boolean(name: str, description: str) -> Parameter:
    """Return a query parameter that is true or false, also written 1 and 0."""
    return Parameter(name=name, shape=BOOLEAN, description=description)


def size(name: str, largest: int, default: int) -> Parameter:
    """Return the query parameter for the number of records on a page."""
    return Parameter(
        name=name,
        shape={"type": "integer", "minimum": 1, "default": default},
        description=f"Records on a page. A number larger than {largest} counts as {largest}.",
    )


OFFSET = Parameter(
    name="offset",
    shape={"type": "integer", "minimum": 0, "default": 0},
    description="Number of records before the page.",
)
