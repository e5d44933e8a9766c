"""The limits of an endpoint: told by outhaul, published by the vendor for all others."""

from typing import Any, Self

from pydantic import ConfigDict, ValidationError

from outhaul.client.errors import HttpError, ProtocolError, UnreachableError
from outhaul.client.retries import is_temporary, is_token_refusal
from outhaul.client.session import Call, Session
from outhaul.protocol.answers.model import Answer, Count

PATH = "/rest/v1/stats/limits.json"


class Told(Answer):
    """The limits of an endpoint; `None` means no limit. The defaults are the published ones."""

    model_config = ConfigDict(strict=True)

    date_range_days: Count | None = 31
    queued_jobs: Count | None = 10
    processing_jobs: Count | None = 2
    daily_export_mb: Count | None = 500
    file_days: Count | None = 7
    list_days: Count | None = 7
    status_days: Count | None = 30
    calls_in_20_seconds: Count | None = 100
    calls_at_once: Count | None = 10
    calls_per_day: Count | None = 50_000
    delete_lead_days: Count | None = 14
    frequent_activity_days: Count | None = 90
    activity_months: Count | None = 25
    updated_at_filter: bool = True
    delete_lead_type: bool = True
    smart_list_filters: bool = True

    @property
    def is_told(self) -> bool:
        """Whether the endpoint has told them itself."""
        return bool(self.model_fields_set)

    @property
    def daily_bytes(self) -> int | None:
        """The day's export quota in bytes."""
        return None if self.daily_export_mb is None else self.daily_export_mb * 1_000_000

    @classmethod
    def of(cls, entry: object) -> Self:
        """Return what an entry of `result` tells. A limit that cannot be read is as published."""
        if not isinstance(entry, dict):
            return cls()
        try:
            return cls.model_validate(entry)
        except ValidationError as error:
            wrong = {problem["loc"][0] for problem in error.errors(include_url=False)}
            return cls.model_validate({k: v for k, v in entry.items() if k not in wrong})


def told_limits(session: Session) -> Told:
    """Return the limits that the endpoint tells; those published if it does not tell them.

    Raises `ClientError` if the endpoint cannot be reached or refuses the credentials.
    """
    call = Call(method="GET", path=PATH)
    try:
        return session.ask(_first, call, on=_may_tell)
    except (ProtocolError, HttpError) as error:
        if is_token_refusal(error):
            raise
        return Told()


def _may_tell(error: Exception) -> bool:
    return isinstance(error, ProtocolError | HttpError | UnreachableError) and is_temporary(error)


def _first(answer: dict[str, Any]) -> Told:
    match answer.get("result"):
        case [entry, *_]:
            return Told.of(entry)
    return Told()
