"""The answer about the limits of a subscription, which only outhaul gives."""

from types import NoneType
from typing import Any, get_args

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from outhaul.limits import Limits
from outhaul.protocol.answers.model import Answer


def _as_sent(schema: dict[str, Any]) -> None:
    """Describe that each limit is always sent, and that some can be null."""
    schema["required"] = list(schema["properties"])
    for name, field in Limits.model_fields.items():
        shown = schema["properties"][to_camel(name)]
        if NoneType in get_args(field.annotation):
            shown["type"] = [shown["type"], "null"]


class SubscriptionLimits(Limits, Answer):
    """The limits of a subscription. Null means no limit."""

    model_config = ConfigDict(extra="ignore", json_schema_extra=_as_sent)

    @classmethod
    def of(cls, limits: Limits) -> "SubscriptionLimits":
        """Return the answer for these limits. It has all of them, whatever their values."""
        return cls.model_validate(limits.model_dump())
