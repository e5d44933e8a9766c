"""Answers about export jobs."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from outhaul.protocol.answers.model import Answer, Count, PossibleInstant, always
from outhaul.protocol.states import State, parse_state

DEFAULT_FORMAT = "CSV"
"""The format of a job whose request names none."""


def _read_state(value: object) -> State:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a state")  # noqa: TRY004 - Pydantic expects a ValueError
    return parse_state(value)


def _read_format(value: object) -> str:
    return str(value).upper() if value else DEFAULT_FORMAT


def _read_text(value: object) -> object:
    return value or None


def _read_id(value: object) -> str:
    return str(value)


class ExportJob(Answer):
    """An export job. Members about a later state of the job are absent."""

    model_config = always("format", "createdAt")

    export_id: Annotated[str, BeforeValidator(_read_id)] = Field(
        json_schema_extra={"format": "uuid"}
    )
    format: Annotated[str, BeforeValidator(_read_format)] = DEFAULT_FORMAT
    status: Annotated[State, BeforeValidator(_read_state)]
    created_at: PossibleInstant = None
    queued_at: PossibleInstant = None
    started_at: PossibleInstant = None
    finished_at: PossibleInstant = None
    number_of_records: Count | None = Field(
        default=None, description="Lines of the file without its header."
    )
    file_size: Count | None = Field(default=None, description="Bytes of the file.")
    file_checksum: Annotated[str | None, BeforeValidator(_read_text)] = Field(
        default=None, description="`sha256:` and the SHA-256 of the file in hexadecimal digits."
    )
    error_msg: Annotated[str | None, BeforeValidator(_read_text)] = Field(
        default=None, description="Why the job failed."
    )
