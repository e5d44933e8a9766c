"""The base of all declared answers: names of members, absent members, and types of moments."""

import json
from datetime import datetime
from typing import Annotated, Any, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticSerializationError

from outhaul.protocol.instants import ASSET_ZONE, parse_instant, render_instant


class Answer(BaseModel):
    """An answer, or an object within one.

    Attributes are in snake case here, and in camel case on the wire. Members that were not given
    are absent on the wire, because clients treat an absent and a null member differently. The
    client ignores members that are not declared.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        # Built when it is first used: a process uses few of the models that it imports.
        defer_build=True,
        extra="ignore",
        frozen=True,
        serialize_by_alias=True,
        validate_by_alias=True,
        validate_by_name=True,
    )

    def to_wire(self) -> dict[str, Any]:
        """Return the answer as plain data, with moments as texts."""
        return self.model_dump(exclude_unset=True)

    def to_json(self) -> bytes:
        """Return the answer as JSON. Half of a surrogate pair is escaped."""
        try:
            return self.__pydantic_serializer__.to_json(self, by_alias=True, exclude_unset=True)
        except PydanticSerializationError:
            return json.dumps(self.to_wire(), separators=(",", ":")).encode()


class OpenAnswer(Answer):
    """An object that may have members that are not declared. They are not ignored."""

    model_config = ConfigDict(extra="allow")


def always(*names: str) -> ConfigDict:
    """Return the configuration of a model whose members of these names the server always sends.

    The description lists them as required. The client requires only members without a default,
    because a live instance leaves out more than this server does.
    """

    def require(schema: dict[str, Any]) -> None:
        schema["required"] = [*schema.get("required", ()), *names]

    return ConfigDict(json_schema_extra=require)


def _read(value: object) -> object:
    return parse_instant(value) if isinstance(value, str) else value


def _read_optional(value: object) -> object:
    return None if value == "" else _read(value)


def _render_asset(moment: datetime) -> str:
    return render_instant(moment).removesuffix("Z") + ASSET_ZONE


def _schema(example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "format": "date-time", "examples": [example]})


Instant: TypeAlias = Annotated[
    datetime,
    BeforeValidator(_read),
    PlainSerializer(render_instant),
    _schema("2026-01-31T23:59:59Z"),
]
"""A moment in UTC, to the second. The client reads every form that endpoints send."""

AssetInstant: TypeAlias = Annotated[
    datetime,
    BeforeValidator(_read),
    PlainSerializer(_render_asset),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\+0000$",
            "examples": ["2026-01-31T23:59:59Z+0000"],
        }
    ),
]
"""A moment in the form of calls under `/rest/asset`."""

PossibleInstant: TypeAlias = Annotated[Instant | None, BeforeValidator(_read_optional)]
"""A moment that may be missing: null and an empty text are read as missing."""

Count: TypeAlias = Annotated[int, Field(ge=0)]
"""A number of calls, records or bytes."""
