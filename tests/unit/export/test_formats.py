import gzip
import json
import re
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.conformance.formats import COLUMNS, RECORDS, FormatSuite, written
from outhaul.errors import ApiError
from outhaul.export.formats import CSV, FORMATS, JSON_LINES, SSV, TSV, Format, Gzipped, read_format
from outhaul.export.output import Output
from outhaul.limits import Limits


def as_json(value: object) -> object:
    if isinstance(value, datetime):
        # The years before 1000 have four digits, too.
        return value.isoformat().removesuffix("+00:00") + "Z"
    return value.isoformat() if isinstance(value, date) else value


@given(RECORDS, RECORDS)
def test_json_lines_have_every_value_as_it_is(
    first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> None:
    file = written(JSON_LINES, [first, second])
    lines = file.decode().split("\n")
    assert lines.pop() == ""
    expected = [{name: as_json(value) for name, value in r.items()} for r in [*first, *second]]
    assert [json.loads(line) for line in lines] == expected


class TestEveryFormat(FormatSuite):
    @pytest.fixture(scope="class", params=FORMATS)
    @classmethod
    def file_format(cls, request: pytest.FixtureRequest) -> Format:
        return FORMATS[request.param]

    @staticmethod
    def content(file_format: Format, file: bytes) -> bytes:
        return gzip.decompress(file) if isinstance(file_format, Gzipped) else file


@given(parts=st.lists(RECORDS, min_size=1, max_size=3))
def test_gzip_members_hold_the_file_of_the_format_inside(
    parts: list[list[dict[str, Any]]],
) -> None:
    assert gzip.decompress(written(Gzipped(CSV), parts)) == written(CSV, parts)


def test_formats_are_named_in_any_case_and_csv_is_the_default() -> None:
    assert read_format(None) is CSV
    assert read_format("") is CSV
    assert [read_format(text) for text in ("csv", "Tsv", "SSV", "jsonl")] == [
        CSV,
        TSV,
        SSV,
        JSON_LINES,
    ]
    assert read_format("csv.gz") == Gzipped(CSV)


@pytest.mark.parametrize(("value", "code"), [("xml", "1003"), (1, "1001")])
def test_what_is_no_format_is_refused(value: object, code: str) -> None:
    with pytest.raises(ApiError, match="format") as refused:
        read_format(value)
    assert refused.value.error.code == code


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_registered_under_its_name(name: str) -> None:
    assert FORMATS[name].name == name


@pytest.mark.parametrize("name", ["SSV", "SSV.GZ"])
def test_the_separator_of_ssv_is_a_setting_and_is_pinned(name: str) -> None:
    found = FORMATS[name].for_limits(Limits(ssv_delimiter="semicolon"))
    assert found.options() == {"separator": ";"}
    assert found != FORMATS[name]
    output = Output(fields=["id"], headers=["id"], format=found, stand_ins={}, digits=[])
    pinned = Output.from_json(json.loads(json.dumps(output.to_json())))
    assert pinned == output
    assert pinned.format.header(["a", "b"]) == b"a;b\n"


@pytest.mark.parametrize("name", ["CSV", "TSV", "CSV.GZ", "JSONL"])
def test_others_are_the_same_for_every_subscription(name: str) -> None:
    assert FORMATS[name].for_limits(Limits(ssv_delimiter="semicolon")) == FORMATS[name]


@pytest.mark.parametrize("name", ["JSONL", "JSONL.GZ"])
def test_json_lines_need_names_that_differ(name: str) -> None:
    with pytest.raises(ApiError, match="two columns are named 'a'"):
        FORMATS[name].check_headers(["a", "b", "a"])
    FORMATS[name].check_headers(["a", "b"])
    FORMATS["CSV"].check_headers(["a", "a"])


def test_booleans_are_digits_where_a_format_has_no_booleans() -> None:
    record = dict.fromkeys(COLUMNS) | {"isLead": True}
    _, digit = written(CSV, [[record]], digits=["isLead"]).split()
    _, word = written(CSV, [[record]]).split()
    assert (digit, word) == (b"null,null,null,1,null,null", b"null,null,null,true,null,null")
    assert json.loads(written(JSON_LINES, [[record]], digits=["isLead"]))["isLead"] is True


@pytest.mark.parametrize("number", FORMATS)
@pytest.mark.parametrize("times", [1, 60])  # few records are written one by one in JSON Lines
def test_numbers_are_written_in_digits(number: str, times: int) -> None:
    values = [1e22, 0.5, -1e16, None, 1e-7, -0.0, 140.0, 5e-324]
    records = [dict.fromkeys(COLUMNS) | {"score": value, "name": "1e22"} for value in values]
    file = written(FORMATS[number], [records * times])
    content = TestEveryFormat.content(FORMATS[number], file).decode()
    lines = content.splitlines()[-len(values) * times :]
    if "JSONL" in number:
        texts = [re.sub(r'.*"score":([^,]*),.*', r"\1", line) for line in lines]
        assert {text for text in texts if "." not in text} == {"null"}
        texts = [text.removesuffix(".0") for text in texts]
    else:
        texts = [re.split(r"[,\t ]", line)[1] for line in lines]
    expected = ["1" + "0" * 22, "0.5", "-1" + "0" * 16, "null", "0.0000001", "-0", "140"]
    assert texts == [*expected, "0." + "0" * 323 + "5"] * times
