import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.errors import ApiError, Error
from outhaul.protocol import body
from outhaul.protocol.instants import render_instant

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
# Values that come near to what the readers want.
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - see below
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
NEAR = (
    st.fixed_dictionaries(
        {}, optional={"startAt": MOMENTS.map(render_instant) | JSON, "endAt": JSON}
    )
    | st.dictionaries(st.sampled_from(["id", "email", "other"]), TEXTS | JSON)
    | st.lists(TEXTS | JSON, max_size=3)
    | st.lists(st.integers(-(2**70), 2**70), max_size=3)
    | st.sampled_from(["csv", "TSV", "Ssv", "xml"])
)
READERS: dict[str, tuple[str, Callable[[object], object]]] = {
    "object": ("filter.it", partial(body.read_object, parameter="filter.it")),
    "text": ("filter.it", partial(body.read_text, parameter="filter.it")),
    "integer": ("filter.it", partial(body.read_integer, parameter="filter.it")),
    "texts": ("filter.it", partial(body.read_texts, parameter="filter.it")),
    "integers": ("filter.it", partial(body.read_integers, parameter="filter.it")),
    "window": ("filter.it", partial(body.read_window, parameter="filter.it", longest_days=31)),
    "headers": ("columnHeaderNames", partial(body.read_headers, fields=["id", "email"])),
}


def window(start: datetime, end: datetime) -> dict[str, str]:
    return {"startAt": render_instant(start), "endAt": render_instant(end)}


def refusal_of(reader: Callable[[Any], object], value: object) -> ApiError | None:
    try:
        reader(value)
    except ApiError as error:
        return error
    return None


def refusal(reader: Callable[..., object], *arguments: object) -> tuple[str, str]:
    with pytest.raises(ApiError) as caught:
        reader(*arguments)
    return caught.value.error.code, caught.value.message


@pytest.mark.parametrize("name", READERS)
@given(value=JSON | NEAR)
def test_any_value_is_read_or_refused_with_the_name_of_its_parameter(
    name: str, value: object
) -> None:
    parameter, reader = READERS[name]
    refused = refusal_of(reader, value)
    if refused is not None:
        assert refused.error in (Error.WRONG_TYPE, Error.PARAMETER_MISSING, Error.INVALID)
        assert f"parameter '{parameter}" in refused.message
        refused.message.encode()


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_an_object_or_not_json(content: bytes) -> None:
    refused = refusal_of(body.parse_object, content)
    if refused is None:
        assert isinstance(json.loads(content), dict)
    else:
        assert refused.error is Error.JSON_INVALID
        refused.message.encode()


@given(st.dictionaries(TEXTS, JSON))
def test_an_object_is_read_as_it_was_written(value: dict[str, Any]) -> None:
    assert body.parse_object(json.dumps(value).encode()) == value
    assert body.parse_object(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"{} {}",
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": "\xff"}',
        rb'{"a": "\ud800"}',
        b"\xef\xbb\xbf{}",
        b'{"a": ' + b"1" * 5_000 + b"}",
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_a_body_that_is_no_json_object_is_609(content: bytes) -> None:
    assert refusal(body.parse_object, content)[0] == "609"


def test_a_value_nested_deeper_than_can_be_shown_is_refused_all_the_same() -> None:
    value: list[Any] = []
    for _ in range(10_000):
        value = [value]
    assert refusal(body.read_text, value, "filter.it") == (
        "1001",
        "Invalid value '…' for parameter 'filter.it'. Required of type 'string'",
    )


def test_a_long_value_is_shown_by_its_beginning() -> None:
    _, message = refusal(body.read_integer, "x" * 10_000, "filter.it")
    assert message.startswith(f"Invalid value '{'x' * 80}…' for")
    _, message = refusal(body.read_integer, {"naïve": "{braces}"}, "filter.it")
    assert message.startswith("""Invalid value '{"naïve": "{braces}"}' for""")


@pytest.mark.parametrize("name", sorted(READERS.keys() - {"format", "headers"}))
def test_a_value_that_must_be_there_is_1002(name: str) -> None:
    parameter, reader = READERS[name]
    message = f"Missing value for required parameter '{parameter}'"
    assert refusal(reader, None) == ("1002", message)


def test_what_is_empty_is_missing() -> None:
    assert refusal(body.read_text, "", "p")[0] == "1002"
    assert refusal(body.read_texts, [], "p")[0] == "1002"
    assert refusal(body.read_integers, [], "p")[0] == "1002"
    assert body.read_object({}, "p") == {}


@pytest.mark.parametrize(
    "value", [True, 1.5, "1.5", "1,0", 2**63, str(2**63), -(2**63) - 1, 2.0**54, [1], {}]
)
def test_what_is_no_integer_of_64_bits_is_1001(value: object) -> None:
    assert refusal(body.read_integer, value, "p")[0] == "1001"


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_of_64_bits_are_read(value: int) -> None:
    assert body.read_integer(value, "p") == value
    assert body.read_integers([value, 0], "p") == [value, 0]


@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from(["{}", " {}\t", "{}.0", "{:+}"]))
def test_the_text_of_an_integer_is_read_as_the_integer(value: int, form: str) -> None:
    assert body.read_integer(form.format(value), "p") == value
    assert body.parsed_integer(form.format(value), "p") == value


@given(st.integers(-(2**53), 2**53))
def test_a_whole_float_is_read_as_the_integer(value: int) -> None:
    found = body.read_integer(float(value), "p")
    assert (found, type(found)) == (value, int)


@pytest.mark.parametrize("text", ["", "-", ".0", "1.", "1e3", "0x1", "1_0", "\u0661", "9" * 5_000])
def test_other_texts_are_no_integers(text: str) -> None:
    assert refusal(body.parsed_integer, text, "p")[0] == "1001"


@pytest.mark.parametrize(
    ("value", "truth"),
    [(True, True), ("true", True), (" TRUE", True), ("1", True), (False, False), ("False", False)],
)
def test_a_boolean_or_its_text_is_read(value: object, truth: bool) -> None:
    assert body.read_boolean(value, "p") is truth


@pytest.mark.parametrize("value", [1, 0.0, "yes", [], {}])
def test_what_is_no_boolean_is_1001(value: object) -> None:
    assert refusal(body.read_boolean, value, "p")[0] == "1001"


def test_a_wrong_entry_of_an_array_is_named_by_its_place() -> None:
    assert "parameter 'p[1]'" in refusal(body.read_integers, [1, "x"], "p")[1]
    assert "parameter 'p[2]'" in refusal(body.read_texts, ["a", "b", None], "p")[1]
    assert "parameter 'p'" in refusal(body.read_texts, "a,b", "p")[1]


@given(MOMENTS, st.timedeltas(timedelta(days=-3), timedelta(days=40)), st.integers(1, 31))
def test_a_window_is_read_where_it_is_not_longer_than_the_limit(
    start: datetime, length: timedelta, longest: int
) -> None:
    end = (start + length).replace(microsecond=0)
    value = window(start, end)
    if timedelta() <= end - start <= timedelta(days=longest):
        assert body.read_window(value, "p", longest) == (start, end)
    else:
        code, message = refusal(body.read_window, value, "p", longest)
        assert code == "1003"
        assert f"{value['startAt']} to {value['endAt']}" in message


def test_the_longest_window_is_the_limit_to_the_second() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    end = start + timedelta(days=31)
    assert body.read_window(window(start, end), "p", 31) == (start, end)
    assert body.read_window(window(start, start), "p", 31) == (start, start)
    code, message = refusal(body.read_window, window(start, end + timedelta(seconds=1)), "p", 31)
    assert code == "1003"
    assert message == (
        "Invalid value for parameter 'p': the range 2026-01-01T00:00:00Z to 2026-02-01T00:00:01Z "
        "is longer than 31 days"
    )


def test_an_end_of_a_window_is_named_where_it_is_missing_or_wrong() -> None:
    known = "2026-01-01T00:00:00Z"
    for value, code, parameter in [
        ({"endAt": known}, "1002", "p.startAt"),
        ({"startAt": known}, "1002", "p.endAt"),
        ({"startAt": known, "endAt": "yesterday"}, "1001", "p.endAt"),
        ({"startAt": 20260101, "endAt": known}, "1001", "p.startAt"),
    ]:
        found, message = refusal(body.read_window, value, "p", 31)
        assert (found, f"parameter '{parameter}'" in message) == (code, True)


def test_headers_are_the_names_of_the_fields_where_no_other_is_asked_for() -> None:
    fields = ["id", "email"]
    assert body.read_headers(None, fields) == fields
    assert body.read_headers({}, fields) == fields
    assert body.read_headers({"email": 'E-Mail, "work"'}, fields) == ["id", 'E-Mail, "work"']


def test_a_header_for_a_field_that_is_not_exported_is_refused() -> None:
    code, message = refusal(body.read_headers, {"phone": "Phone"}, ["id", "email"])
    assert code == "1003"
    assert "columnHeaderNames.phone" in message
    assert refusal(body.read_headers, {"id": ""}, ["id"])[0] == "1002"
    assert refusal(body.read_headers, {"id": 1}, ["id"])[0] == "1001"
