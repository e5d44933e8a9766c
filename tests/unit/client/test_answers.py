"""Waits that servers ask for, and how their answers are shown."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.client import AnswerError, OutOfTimeError
from outhaul.client.answers import Reply, http_error, retry_after

SENT = datetime(2026, 1, 31, 10, tzinfo=UTC)
DAY = 86_400


def reply(body: bytes, status: int = 502, **headers: str) -> Reply:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, reason="Bad", headers=httpx2.Headers(names), body=body)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0.5", 0.5),
        ("0", 0),
        ("-5", 0),
        ("1e9", DAY),
        ("inf", DAY),
        ("99999999999999999999", DAY),
        ("Sat, 31 Jan 2026 10:00:07 GMT", 7),
        ("Saturday, 31-Jan-26 10:00:07 GMT", 7),
        ("Sat Jan 31 10:00:07 2026", 7),
        ("Sat, 31 Jan 2026 04:00:07 -0600", 7),
        ("Sat, 31 Jan 2026 09:00:00 GMT", 0),
        ("Sat, 31 Jan 2099 09:00:00 GMT", DAY),
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("Sat, 99 Jan 2026 10:00:07 GMT", None),
        ("Sat, 31 Jan 99999 10:00:07 GMT", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, SENT) == seconds


@given(st.text())
def test_no_text_of_retry_after_is_an_error(text: str) -> None:
    wait = retry_after(text, SENT)
    assert wait is None or 0 <= wait <= DAY


@given(st.integers(-100_000, 100_000))
def test_a_date_is_compared_with_the_clock_of_the_server(seconds: int) -> None:
    date = format_datetime(SENT + timedelta(seconds=seconds), usegmt=True)
    assert retry_after(date, SENT) == min(max(seconds, 0), DAY)
    error = http_error(reply(b"", Retry_After=date, Date=format_datetime(SENT, usegmt=True)))
    assert error.retry_after == min(max(seconds, 0), DAY)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"oh\nno", "oh no"),
        (b"<h1>Bad Gateway</h1>", "an HTML page"),
        (b"<html><head><title>Down\n for now</title>", "an HTML page, 'Down for now'"),
        (b"\x1b[2Jcleared\x07", "[2Jcleared"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_an_answer_is_shown_on_one_line(body: bytes, shown: str) -> None:
    assert reply(body).shown() == shown


@given(st.binary(max_size=5000), st.sampled_from(["text/html", "application/json", ""]))
def test_what_is_shown_is_short(body: bytes, media_type: str) -> None:
    shown = reply(body, Content_Type=media_type).shown()
    assert shown.isprintable()
    assert len(shown) < 250
    assert "html" not in media_type or shown.startswith("an HTML page")


def test_an_answer_that_is_endless_is_given_up() -> None:
    sizes: list[int] = []

    def pieces() -> Iterator[bytes]:
        while True:
            sizes.append(1 << 20)
            yield bytes(1 << 20)

    with pytest.raises(AnswerError, match="more than 64 MiB"):
        Reply.of(httpx2.Response(200, content=pieces()), lambda: None)
    assert len(sizes) == 65


def test_an_answer_that_comes_drop_by_drop_is_bound_by_the_time_of_the_run() -> None:
    drops = iter([b"{", b"}", b" "])
    seconds = [1, 2]

    def check() -> None:
        if not seconds:
            raise OutOfTimeError(2)
        seconds.pop()

    with pytest.raises(OutOfTimeError):
        Reply.of(httpx2.Response(200, content=drops), check)
