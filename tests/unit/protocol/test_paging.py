import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.protocol.paging import decode_token, encode_token

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def token_of(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


@given(st.lists(TEXTS, max_size=4))
def test_a_token_gives_its_place_again(position: list[str]) -> None:
    assert decode_token(encode_token(position), len(position)) == tuple(position)


@given(st.lists(TEXTS, max_size=4))
def test_a_token_needs_no_escaping_in_a_url(position: list[str]) -> None:
    assert set(encode_token(position)) <= set(string.ascii_letters + string.digits + "-_")


@given(st.lists(TEXTS, max_size=4), st.integers(0, 4))
def test_a_token_of_another_list_is_refused(position: list[str], length: int) -> None:
    if length != len(position):
        with pytest.raises(ValueError, match="not a page token"):
            decode_token(encode_token(position), length)


@given(st.text() | st.text("AQghIiWwXJd-_=+/", max_size=12) | st.binary().map(token_of))
def test_any_text_is_a_place_or_a_value_error(token: str) -> None:
    try:
        position = decode_token(token, 1)
    except ValueError:
        return
    assert [type(text) for text in position] == [str]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b'"a"',
        b"[1]",
        b"[null]",
        b'{"a":"b"}',
        b'["a"',
        b"\xff\xff\xff",
        b"[" * 100_000,
        b"[" + b"1" * 5_000 + b"]",
        rb'["\ud800"]',
    ],
)
def test_what_says_no_place_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode_token(token_of(content), 1)
