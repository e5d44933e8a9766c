"""Answers about export jobs.

The client reads them leniently: only the id and the state must be there. A moment, a number or a
text that cannot be read is `None`, because it is no reason to give up the job.
"""

from datetime import datetime
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field, InstanceOf
from pydantic.json_schema import SkipJsonSchema

from outhaul.protocol.answers.model import Answer, Count, Instant, always
from outhaul.protocol.instants import parse_instant
from outhaul.protocol.states import State, UnknownState, parse_state
from outhaul.protocol.texts import one_line

DEFAULT_FORMAT = "CSV"
"""The format of a job whose request names none."""


_LARGEST = 2**63 - 1
_LONGEST_REASON = 1000


def _read_state(value: object) -> object:
    if value is None:
        return UnknownState()
    if not isinstance(value, str):
        return value
    try:
        return parse_state(value)
    except ValueError:
        return UnknownState(one_line(value))


def _read_format(value: object) -> str:
    return value.upper() if isinstance(value, str) and value else DEFAULT_FORMAT


def _read_text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _read_reason(value: object) -> str | None:
    return one_line(str(value), _LONGEST_REASON) if value else None


def _read_id(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _read_count(value: object) -> int | None:
    """Return a number in any notation. What is no possible count is read as missing."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        count = int(value)
    except (ValueError, OverflowError):
        return None
    return count if 0 <= count <= _LARGEST and count == float(value) else None


def _read_moment(value: object) -> object:
    """Return a moment in any notation. A text that names none is read as missing."""
    if isinstance(value, datetime):
        return value
    try:
        return parse_instant(value.strip()) if isinstance(value, str) else None
    except ValueError:
        return None


Moment: TypeAlias = Annotated[Instant | None, BeforeValidator(_read_moment)]
Number: TypeAlias = Annotated[Count | None, BeforeValidator(_read_count)]


class ExportJob(Answer):
    """An export job. Members about a later state of the job are absent."""

    model_config = always("format", "createdAt")

    export_id: Annotated[str, BeforeValidator(_read_id)] = Field(
        min_length=1, json_schema_extra={"format": "uuid"}
    )
    format: Annotated[str, BeforeValidator(_read_format)] = DEFAULT_FORMAT
    status: Annotated[
        State | SkipJsonSchema[InstanceOf[UnknownState]], BeforeValidator(_read_state)
    ]
    created_at: Moment = None
    queued_at: Moment = None
    started_at: Moment = None
    finished_at: Moment = None
    number_of_records: Number = Field(
        default=None, description="Lines of the file without its header."
    )
    file_size: Number = Field(default=None, description="Bytes of the file.")
    file_checksum: Annotated[str | None, BeforeValidator(_read_text)] = Field(
        default=None, description="`sha256:` and the SHA-256 of the file in hexadecimal digits."
    )
    error_msg: Annotated[str | None, BeforeValidator(_read_reason)] = Field(
        default=None, description="Why the job failed."
    )
