import pytest

from outhaul.protocol.conditions import has_tag

TAG = '"abc"'


@pytest.mark.parametrize(
    "header", ['"abc"', ' "abc" ', 'W/"abc"', '"x", "abc"', '"x",W/"abc"', "*", " * "]
)
def test_a_tag_that_is_named(header: str) -> None:
    assert has_tag(header, TAG)


@pytest.mark.parametrize("header", [None, "", "abc", '"ABC"', '"abcd"', '"a,b"', '"x*"', '"ab'])
def test_a_tag_that_is_not_named(header: str | None) -> None:
    assert not has_tag(header, TAG)
