from datetime import UTC, datetime

import pytest

from outhaul.protocol.answers.exports import ExportJob
from outhaul.protocol.states import State

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00.123Z",
        "2026-01-31T12:00:00Z+0000",
        "2026-01-31T06:00:00-06:00",
        "2026-01-31T12:00Z",
    ],
)
def test_moments_are_read_in_any_form_and_written_in_one(text: str) -> None:
    job = ExportJob.model_validate({"exportId": "x", "status": "canceled", "createdAt": text})
    assert (job.status, job.created_at) == (State.CANCELLED, MOMENT)
    assert job.to_json() == (
        b'{"exportId":"x","status":"Cancelled","createdAt":"2026-01-31T12:00:00Z"}'
    )


def test_null_and_an_empty_text_stand_for_nothing() -> None:
    job = ExportJob.model_validate(
        {"exportId": 7, "status": "Failed", "queuedAt": None, "startedAt": "", "errorMsg": ""}
    )
    assert (job.export_id, job.queued_at, job.started_at, job.error_msg) == ("7", None, None, None)
