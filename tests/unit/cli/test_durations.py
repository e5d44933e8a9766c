"""Durations as options give them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.cli.durations import parse_duration, render_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("1.5", 1.5),
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1d", 86_400),
        (" 2 H ", 7200),
        ("0", 0),
        ("0.25h", 900),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "-1", "1e3", "1,5", "nan", "inf", "2w", "1h30m", "9" * 99, "٣s", "1.s", ".5"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration, such as 90s"):
        parse_duration(text)


@given(st.integers(0, 10**6))
def test_a_duration_is_rendered_as_it_is_read(seconds: int) -> None:
    assert parse_duration(render_duration(seconds)) == seconds
