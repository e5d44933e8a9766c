import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from outhaul.protocol.ranges import ByteRange, UnsatisfiableRangeError, parse_range

SIZES = st.integers(0, 20)
POSITIONS = st.integers(0, 25)


def bytes_sent(header: str, content: bytes) -> bytes:
    found = parse_range(header, len(content))
    assert found is not None
    assert 0 <= found.first < found.end <= len(content)
    assert found.length == found.end - found.first
    return content[found.first : found.end]


@given(POSITIONS, POSITIONS, SIZES)
def test_first_and_last_are_the_bytes_between_both_included(
    first: int, last: int, size: int
) -> None:
    content = bytes(range(size))
    header = f"bytes={first}-{last}"
    wanted = bytes(n for n in content if first <= n <= last)
    if last < first:
        assert parse_range(header, size) is None
    elif wanted:
        assert bytes_sent(header, content) == wanted
    else:
        with pytest.raises(UnsatisfiableRangeError):
            parse_range(header, size)


@given(POSITIONS, SIZES)
def test_an_open_range_goes_to_the_end(first: int, size: int) -> None:
    content = bytes(range(size))
    wanted = bytes(n for n in content if n >= first)
    if wanted:
        assert bytes_sent(f"bytes={first}-", content) == wanted
    else:
        with pytest.raises(UnsatisfiableRangeError):
            parse_range(f"bytes={first}-", size)


@given(POSITIONS, SIZES)
def test_a_suffix_is_the_last_bytes(length: int, size: int) -> None:
    content = bytes(range(size))
    wanted = bytes(n for n in content if n >= size - length)
    if wanted:
        assert bytes_sent(f"bytes=-{length}", content) == wanted
    else:
        with pytest.raises(UnsatisfiableRangeError):
            parse_range(f"bytes=-{length}", size)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes= - ",
        "bytes=a-b",
        "bytes=0-1,3-4",
        "bytes=0-1,",
        "bytes=1",
        "bytes=--1",
        "bytes=+1-2",
        "bytes=1_0-20",
        "bytes=\u0660-\u0663",
        "lines=0-1",
        "0-1",
        "bytes:0-1",
    ],
)
def test_a_header_that_may_be_ignored_stands_for_the_whole_file(header: str | None) -> None:
    assert parse_range(header, 10) is None


@pytest.mark.parametrize("header", ["bytes=2-4", "Bytes=2-4", " bytes = 2 - 4 ", "bytes=002-004"])
def test_case_spaces_and_leading_zeros_do_not_matter(header: str) -> None:
    assert parse_range(header, 10) == ByteRange(2, 5)


def test_numbers_of_any_length_are_understood() -> None:
    # Python by itself refuses integers of more than 4,300 digits.
    many = "9" * 5_000
    assert parse_range(f"bytes=2-{many}", 10) == ByteRange(2, 10)
    assert parse_range(f"bytes=-{many}", 10) == ByteRange(0, 10)
    assert parse_range(f"bytes={'0' * 5_000}2-4", 10) == ByteRange(2, 5)
    with pytest.raises(UnsatisfiableRangeError):
        parse_range(f"bytes={many}-", 10)


@given(st.text() | st.from_regex(r"bytes=\s*\d*\s*-\s*\d*\s*"), st.integers(0, 2**63))
@example("bytes=" + " " * 1_000 + "x", 10)
def test_any_header_is_a_range_within_the_file_or_ignored_or_unsatisfiable(
    header: str, size: int
) -> None:
    try:
        found = parse_range(header, size)
    except UnsatisfiableRangeError:
        return
    assert found is None or 0 <= found.first < found.end <= size


def test_content_range_names_the_last_byte() -> None:
    assert ByteRange(0, 1).content_range(10) == "bytes 0-0/10"
    assert ByteRange(212, 1_000).content_range(1_000) == "bytes 212-999/1000"
