import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.protocol.texts import has_surrogate, shortened


@given(st.text(), st.integers(0, 20))
def test_a_shortened_text_says_that_it_is_cut(text: str, longest: int) -> None:
    short = shortened(text, longest)
    if len(text) <= longest:
        assert short == text
    else:
        assert short == text[:longest] + "…"


@given(st.text(st.characters(exclude_categories=[])))
def test_texts_with_half_a_pair_are_those_that_utf_8_cannot_write(text: str) -> None:
    try:
        text.encode()
        written = True
    except UnicodeEncodeError:
        written = False
    assert has_surrogate(text) is not written


@pytest.mark.parametrize(("spelled", "half"), [(r'"\ud83d\ude00"', False), (r'"\ud83d"', True)])
def test_a_whole_pair_is_a_character(spelled: str, half: bool) -> None:
    assert has_surrogate(json.loads(spelled)) is half
