"""The suite that every format of export files passes, built in or not.

A test module derives a class from `FormatSuite`, and pytest collects it:

    class TestMine(FormatSuite):
        @pytest.fixture(scope="class")
        @classmethod
        def file_format(cls) -> Format:
            return MINE

It needs pytest and hypothesis.
"""

import io
import json
from collections.abc import Sequence
from datetime import UTC
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outhaul.export.formats import Format
from outhaul.export.output import Output
from outhaul.records.columns import INSTANT

COLUMNS: dict[str, pl.DataType] = {
    "id": pl.Int64(),
    "score": pl.Float64(),
    "name": pl.String(),
    "isLead": pl.Boolean(),
    "born": pl.Date(),
    "createdAt": INSTANT,
}
"""A column of each type that the lake has."""

TEXTS = st.sampled_from(["", "null", 'a "b"', "a,b", "x\ty", "two\nlines", "\0", "é😀\u2028"])
MOMENTS = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0))
RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.none() | st.integers(-(2**63), 2**63 - 1),
            "score": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "name": st.none() | TEXTS | st.text(st.characters(exclude_categories=["Cs"])),
            "isLead": st.none() | st.booleans(),
            "born": st.none() | st.dates(),
            "createdAt": st.none() | MOMENTS,
        }
    ),
    max_size=5,
)


def output_in(file_format: Format, digits: Sequence[str] = ()) -> Output:
    """Return the output of all columns in a format."""
    names = [*COLUMNS]
    return Output(fields=names, headers=names, format=file_format, stand_ins={}, digits=digits)


def written(
    file_format: Format, parts: Sequence[Sequence[dict[str, Any]]], digits: Sequence[str] = ()
) -> bytes:
    """Return the file of some records, which are rendered in parts."""
    output = output_in(file_format, digits)
    file = b""
    for number, records in enumerate(parts):
        target = io.BytesIO()
        frame = pl.DataFrame(records, schema=COLUMNS)
        with file_format.part(target) as content:
            if number == 0:
                content.write(file_format.header(output.headers))
            file_format.batch(frame.select(output.cells(COLUMNS)), output.headers, content)
            if number == len(parts) - 1:
                content.write(file_format.footer())
        file += target.getvalue()
    return file


class FormatSuite:
    """The tests. A subclass gives `file_format`; no name of a test may be changed or left out."""

    @pytest.fixture(scope="class")
    @classmethod
    def file_format(cls) -> Format:
        """Return the format."""
        raise NotImplementedError

    @staticmethod
    def content(file_format: Format, file: bytes) -> bytes:  # noqa: ARG004 - for subclasses
        """Return a file without its compression, if the format has one."""
        return file

    @given(parts=st.lists(RECORDS, min_size=1, max_size=3))
    @settings(deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    def test_parts_one_after_the_other_are_the_file_of_all_records(
        self, file_format: Format, parts: list[list[dict[str, Any]]]
    ) -> None:
        file = written(file_format, parts)
        whole = written(file_format, [[record for records in parts for record in records]])
        assert self.content(file_format, file) == self.content(file_format, whole)

    @given(parts=st.lists(RECORDS, min_size=1, max_size=3))
    @settings(deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    def test_the_same_records_give_the_same_bytes(
        self, file_format: Format, parts: list[list[dict[str, Any]]]
    ) -> None:
        assert written(file_format, parts) == written(file_format, parts)

    def test_a_record_is_written_alike_whatever_is_in_its_batch(self, file_format: Format) -> None:
        names = ("null", "", 'a "b", or a null')
        records = [dict.fromkeys(COLUMNS) | {"name": name} for name in names]

        def content(wanted: list[dict[str, Any]]) -> bytes:
            return self.content(file_format, written(file_format, [wanted]))

        header = content([])
        alone = [content([record]).removeprefix(header) for record in records]
        assert content(records) == header + b"".join(alone)

    def test_a_format_says_what_it_is(self, file_format: Format) -> None:
        assert file_format.name == file_format.name.upper()
        assert file_format.extension.upper() == f".{file_format.name}"
        assert "/" in file_format.media_type

    def test_a_plan_has_the_format_with_its_options(self, file_format: Format) -> None:
        assert file_format.with_options(file_format.options()) == file_format
        stored = json.loads(json.dumps(output_in(file_format).to_json()))
        assert stored["format"] == file_format.name
        assert stored["options"] == file_format.options()
