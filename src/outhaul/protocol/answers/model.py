"""What all declared answers have in common: names, instants, and what is left out."""

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

from outhaul.protocol.instants import ASSET_ZONE, parse_asset_instant, render_instant


class Answer(BaseModel):
    """An answer, or an object within one.

    Attributes are written in snake case here and in camel case on the wire. Members that were not
    given are left out on the wire: an absent member and a null one differ to clients. Members of
    an endpoint's answer that are not declared are ignored.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="ignore",
        frozen=True,
        serialize_by_alias=True,
        validate_by_alias=True,
        validate_by_name=True,
    )

    def to_wire(self) -> dict[str, Any]:
        """Return the answer as plain data, instants as texts."""
        return self.model_dump(exclude_unset=True)

    def to_json(self) -> bytes:
        """Return the answer as JSON; half a surrogate pair is escaped."""
        try:
            return self.__pydantic_serializer__.to_json(self, by_alias=True, exclude_unset=True)
        except PydanticSerializationError:
            return json.dumps(self.to_wire(), separators=(",", ":")).encode()


class OpenAnswer(Answer):
    """An object whose further members depend on the catalog: all of them are retained."""

    model_config = ConfigDict(extra="allow")


def always(*names: str) -> ConfigDict:
    """Return the configuration of a model whose members of these names are in all our answers.

    Only members without a default are demanded from an endpoint; a live instance leaves out more.
    """

    def require(schema: dict[str, Any]) -> None:
        schema["required"] = [*schema.get("required", ()), *names]

    return ConfigDict(json_schema_extra=require)


def _read(value: object) -> object:
    return parse_asset_instant(value) if isinstance(value, str) else value


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
"""A moment in UTC, to the second. Read in any form that an endpoint writes."""

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
"""A moment as calls about assets write it."""

LocalInstant: TypeAlias = Annotated[
    datetime, PlainSerializer(datetime.isoformat), _schema("2026-01-31T00:00:00-06:00")
]
"""A moment with the offset of its time zone."""

PossibleInstant: TypeAlias = Annotated[Instant | None, BeforeValidator(_read_optional)]
"""A moment that may be missing; null and an empty text stand for a missing one."""

Count: TypeAlias = Annotated[int, Field(ge=0)]
"""A number of things or of bytes."""
