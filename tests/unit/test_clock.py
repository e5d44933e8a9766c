from datetime import UTC, datetime

from outhaul.clock import now


def test_now_is_the_present_moment_in_utc() -> None:
    before = datetime.now(UTC)
    assert before <= now() <= datetime.now(UTC)
    assert now().tzinfo is UTC
