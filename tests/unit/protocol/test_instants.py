from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.protocol.instants import parse_instant, render_instant

OFFSETS = st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59))
ZONES = OFFSETS.map(lambda offset: timezone(timedelta(minutes=offset // timedelta(minutes=1))))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-16T05:28:09Z", datetime(2026, 11, 16, 5, 28, 9, tzinfo=UTC)),
        ("2026-11-16T05:28:09+00:00", datetime(2026, 11, 16, 5, 28, 9, tzinfo=UTC)),
        ("2026-11-16T05:28:09+0000", datetime(2026, 11, 16, 5, 28, 9, tzinfo=UTC)),
        ("2026-11-16T05:28Z", datetime(2026, 11, 16, 5, 28, tzinfo=UTC)),
        ("2026-11-16T05:28:09", datetime(2026, 11, 16, 5, 28, 9, tzinfo=UTC)),
        ("2017-11-02", datetime(2017, 11, 2, tzinfo=UTC)),
        ("2026-01-01T01:00:00+05:30", datetime(2025, 12, 31, 19, 30, tzinfo=UTC)),
        ("2026-12-31T23:00:00-0600", datetime(2027, 1, 1, 5, tzinfo=UTC)),
        ("2026-11-16T05:28:09.000Z", datetime(2026, 11, 16, 5, 28, 9, tzinfo=UTC)),
        ("2026-11-16T05:28:09.999Z", datetime(2026, 11, 16, 5, 28, 9, tzinfo=UTC)),
        ("2026-11-16T05:28:09.999999999", datetime(2026, 11, 16, 5, 28, 9, tzinfo=UTC)),
        ("2026-11-16T05:28:09.9+00:30", datetime(2026, 11, 16, 4, 58, 9, tzinfo=UTC)),
        ("2026-11-16T05:28:09Z+0000", datetime(2026, 11, 16, 5, 28, 9, tzinfo=UTC)),
        ("2026-11-16T05:28:09.5Z+0000", datetime(2026, 11, 16, 5, 28, 9, tzinfo=UTC)),
        ("2026-11-16 05:28:09", datetime(2026, 11, 16, 5, 28, 9, tzinfo=UTC)),
        (" 2026-11-16T05:28:09Z\r\n", datetime(2026, 11, 16, 5, 28, 9, tzinfo=UTC)),
    ],
)
def test_every_form_that_clients_send_is_read(text: str, expected: datetime) -> None:
    assert parse_instant(text) == expected
    assert parse_instant(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-01-31T",
        "2026-01-31Z",
        "2026-01-31T23Z",
        "2026-01-31t23:59:59z",
        "2026-1-31",
        "2026-02-29",
        "2026-13-01",
        "0000-01-01",
        "2026-01-31T24:00:00Z",
        "2026-01-31T23:60:00Z",
        "2026-01-31T23:59:60Z",
        "2026-01-31T23:59:59+24:00",
        "2026-01-31T23:59:59+05:60",
        "2026-01-31T23:59:59+05",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "2026-01-31T23:59:59Z+0100",
        "2026-01-31Z+0000",
        "Z+0000",
        "2026-01-31T23:59.5Z",
        "2026-01-31T23:59:59.Z",
        "2026-01-31T23:59:59.1.2Z",
        "2026-01-31  23:59:59Z",
        "2026-01-31\N{NO-BREAK SPACE}",
        "2026-01-31\t23:59:59Z",
        "\u0662\u0660\u0662\u0666-01-31",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_instant(text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_is_rendered_reads_back_to_the_second(moment: datetime) -> None:
    text = render_instant(moment)
    assert len(text) == len("2026-01-31T23:59:59Z")
    assert parse_instant(text) == moment.replace(microsecond=0)


@given(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)).map(  # noqa: DTZ001 - zone follows
        lambda moment: moment.replace(microsecond=0)
    ),
    ZONES,
    st.booleans(),
)
def test_an_offset_is_taken_off(local: datetime, zone: timezone, with_colon: bool) -> None:
    moment = local.replace(tzinfo=zone)
    text = moment.isoformat()
    if not with_colon:
        text = text[:-3] + text[-2:]
    assert parse_instant(text) == moment
    assert render_instant(moment) == render_instant(moment.astimezone(UTC))


@given(st.text() | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:?\d\d)?"))
def test_any_text_is_a_moment_in_utc_or_a_value_error(text: str) -> None:
    try:
        moment = parse_instant(text)
    except ValueError:
        return
    assert moment.utcoffset() == timedelta()
    assert moment.microsecond == 0


# Without a zone, which ZONES has. The moments are within the calendar in UTC, too.
FIRST, LAST = datetime(2, 1, 1), datetime(9999, 1, 1)  # noqa: DTZ001


@given(st.datetimes(FIRST, LAST, timezones=ZONES))
def test_a_fraction_of_a_second_is_cut_off(moment: datetime) -> None:
    assert parse_instant(moment.isoformat()) == moment.replace(microsecond=0)
