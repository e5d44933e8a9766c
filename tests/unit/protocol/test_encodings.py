import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.protocol.encodings import accepts_gzip


@pytest.mark.parametrize(
    "header",
    [
        "gzip",
        "GZIP",
        "x-gzip",
        "gzip, deflate, br",
        "br;q=1.0, gzip;q=0.8, *;q=0.1",
        "deflate,gzip;q=1",
        "gzip;q=0.001",
        " gzip ; q=0.5 ",
        "gzip;Q=1.000",
        "*",
        "*;q=0.5",
        "identity, gzip",
        "identity;q=0.5, gzip;q=0.5",
        "identity;q=0, *",
        ",,gzip,",
    ],
)
def test_gzip_is_accepted(header: str) -> None:
    assert accepts_gzip(header)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "identity",
        "br",
        "deflate",
        "gzip;q=0",
        "gzip;q=0.000",
        "gzip;q=0, *",
        "*;q=0",
        "*, gzip;q=0",
        "identity, gzip;q=0.5",
        "identity;q=1, *;q=0.5",
        "gzip;q=high",
        "gzip;q=-1",
        "gzip;q=2",
        "gzip;q=",
        "gzipped",
        "not-gzip",
        '"gzip"',
    ],
)
def test_gzip_is_not_accepted(header: str) -> None:
    assert not accepts_gzip(header)


@given(
    st.text()
    | st.lists(st.sampled_from(["gzip", "*", ";", "q=", "0", ".5", ",", " "])).map("".join)
)
def test_any_header_is_read(header: str) -> None:
    assert accepts_gzip(header) in (True, False)
