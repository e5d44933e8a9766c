import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.reading_files import CELLS, EXAMPLES, TEXTS, read, refused, write

from outhaul.records.readers import json_lines, open_reader


def test_json_lines_keep_objects_as_they_are_written_and_numbers_exactly(tmp_path: Path) -> None:
    content = (
        b'{"a": 1.50, "b": {"x": [1,  2] , "y":"\\u00e9"}}\n{"a":1e400,"b":"\\u00e9\\u0000"}\n'
    )
    content += b'{"a":true,"b":null}\n{"a":123456789012345678901234567890,"b":"null"}\n'
    assert read(write(tmp_path, "a.jsonl", content)) == [
        ("1.5", '{"x": [1,  2] , "y":"\\u00e9"}'),
        ("1e400", "é\0"),
        ("true", None),
        ("123456789012345678901234567890", "null"),
    ]


def test_what_a_line_does_not_name_is_null(tmp_path: Path) -> None:
    content = b'{"a":"1"}\n{}\n{"b":""}\n'
    assert read(write(tmp_path, "a.ndjson", content)) == [("1", None), (None, None), (None, "")]


def test_records_without_anything_are_records(tmp_path: Path) -> None:
    (batch,) = open_reader(write(tmp_path, "a.jsonl", b"{}\n{}\n")).batches(lambda _: None)
    assert batch.shape == (2, 0)


@pytest.mark.parametrize(
    "record",
    [
        b'{"a":1,"a":2}',
        b'{"a": 1, "a": 1}',
        b'{"a":1,"b":{},"\\u0061":2}',
        b'{"e":1,"a":12,"b":1,"c":1,"d":1,"a":13}',
        b'{"a" :1,"a":2}',
        b'{"a"\t:1,"a":2}',
        b'{"a"\r:1,"a":2}',
        b' {"a" : {"a":1,"a":1} , "a" : [1e400, 1%s] }' % (b"0" * 5000),
    ],
)
def test_a_name_that_is_there_twice_is_refused(record: bytes, tmp_path: Path) -> None:
    problem = refused(write(tmp_path, "a.jsonl", b'{"a":1}\n' + record + b"\n"))
    assert problem == ":2: column 'a' is there twice"


@EXAMPLES
@given(
    pairs=st.lists(st.tuples(st.sampled_from(["a", "b", "é", '"', "c d"]), CELLS), max_size=6),
    compact=st.booleans(),
    ascii_only=st.booleans(),
)
def test_a_record_is_read_unless_a_name_is_there_twice(
    pairs: list[tuple[str, str | None]], compact: bool, ascii_only: bool, tmp_path: Path
) -> None:
    comma, colon = (",", ":") if compact else (", ", ": ")
    written = [
        f"{json.dumps(name, ensure_ascii=ascii_only)}{colon}{json.dumps(value)}"
        for name, value in pairs
    ]
    path = write(tmp_path, "a.jsonl", f"{{{comma.join(written)}}}\n".encode())
    if len(dict(pairs)) < len(pairs):
        assert refused(path).endswith(" is there twice")
    else:
        (batch,) = open_reader(path).batches(lambda _: None)
        assert batch.to_dicts() == [dict(pairs)]


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    assert read(write(tmp_path, "a.jsonl", b'\xef\xbb\xbf{"a":"1"}\r\n\r\n{"a":"2"}')) == [
        ("1",),
        ("2",),
    ]
    assert read(write(tmp_path, "a.jsonl", b"\xef\xbb\xbf")) == []


@pytest.mark.parametrize("name", [" a", "a ", "\xa0a", "", " ", "a\0"])
def test_names_are_checked(name: str, tmp_path: Path) -> None:
    content = b'{"a":1}\n' + json.dumps({"a": 1, name: 2}).encode()
    assert refused(write(tmp_path, "a.jsonl", content)).startswith(":2: column ")


@pytest.mark.parametrize("content", [b'[{"a":1}]', b'[\n{"a":1}\n]', b"\n [1]\n"])
def test_a_json_array_is_told(content: bytes, tmp_path: Path) -> None:
    problem = refused(write(tmp_path, "a.jsonl", content))
    assert "is it a JSON array? One object on each line is expected" in problem


def test_an_object_on_several_lines_is_told(tmp_path: Path) -> None:
    problem = refused(write(tmp_path, "a.jsonl", b'{\n"a": 1\n}\n'))
    assert problem.startswith(":1: ")
    assert "one object on each line is expected" in problem


def test_a_line_that_is_too_long_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_lines, "RECORD_BYTES", 100)
    path = write(tmp_path, "a.jsonl", b'{"a":1}\n{"a":"' + b"x" * 200 + b'"}\n')
    assert refused(path) == ":2: a record longer than 256 MiB"


def test_a_batch_ends_when_it_has_many_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_lines, "BATCH_BYTES", 20)
    path = write(tmp_path, "a.jsonl", b'{"a":"0123456789"}\n' * 5)
    assert [batch.height for batch in open_reader(path).batches(lambda _: None)] == [2, 2, 1]


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n\t\n"])
def test_json_lines_may_hold_no_record(content: bytes, tmp_path: Path) -> None:
    assert read(write(tmp_path, "a.jsonl", content)) == []


NAMES = TEXTS.map(lambda name: "a" + name.replace("\0", "") + "z")


@EXAMPLES
@given(records=st.lists(st.dictionaries(NAMES, CELLS, min_size=1), min_size=1, max_size=5))
def test_any_text_goes_through_json_lines(
    records: list[dict[str, str | None]], tmp_path: Path
) -> None:
    for ascii_only in (True, False):
        text = "".join(json.dumps(record, ensure_ascii=ascii_only) + "\n" for record in records)
        path = write(tmp_path, "a.jsonl", text.encode())
        (batch,) = open_reader(path).batches(lambda _: None)
        assert batch.to_dicts() == [
            {name: record.get(name) for name in batch.columns} for record in records
        ]


def test_the_line_of_a_json_record_counts_blank_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_lines, "BATCH_RECORDS", 2)
    lines = [b"", b"{}", b"{}", b"  ", b"{}", b"{}", b"\r", b"", b"{}", b"{}"]
    reader = open_reader(write(tmp_path, "a.jsonl", b"\n".join(lines)))
    found = []
    for number, batch in enumerate(reader.batches(lambda _: None)):
        assert batch.height == 2
        found += [reader.line_of(2 * number), reader.line_of(2 * number + 1)]
    assert found == [2, 3, 5, 6, 9, 10]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"a":1}\n\n{"a":\n', "not a JSON object: "),
        (b'{"a":1}\n\n[1]\n', "not a JSON object: Expected `object`, got `array`"),
        (b'{"a":1}\n\n5\n', "not a JSON object: Expected `object`, got `int`"),
        (b'{"a":1}\n\nnull\n', "not a JSON object: Expected `object`, got `null`"),
        (b'{"a":1}\n\n{"a":1} {"a":2}\n', "not a JSON object: "),
        (b'{"a":1}\n\n{"a":NaN}\n', "not a JSON object: "),
        (b'{"a":1}\n\n{"a":01}\n', "not a JSON object: "),
        (b'{"a":1}\n\n{"a":"\xff"}\n', "not UTF-8"),
        (b'{"a":1}\n\n{"\xff":1}\n', "not UTF-8"),
        (b'{"a":1}\n\n{"a":{"b":"\xed\xa0\xbd"}}\n', "not UTF-8"),
        (b'{"a":1}\n\n{"a":"\\ud83d"}\n', "a text holds half a surrogate pair"),
        (b'{"a":1}\n\n{"a":"\\ud83dx"}\n', "a text holds half a surrogate pair"),
        (b'{"a":1}\n\n{"a":"\\ude00"}\n', "a text holds half a surrogate pair"),
        (b'{"a":1}\n\n{"a":{"b":["\\uDE00\\uD83D"]}}\n', "a text holds half a surrogate pair"),
        (b'{"a":1}\n\n{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", "nested too deeply"),
    ],
)
def test_broken_json_lines_are_told_by_their_line(
    content: bytes, problem: str, tmp_path: Path
) -> None:
    assert refused(write(tmp_path, "a.jsonl", content)).startswith(f":3: {problem}")


def test_whole_surrogate_pairs_are_text(tmp_path: Path) -> None:
    assert read(write(tmp_path, "a.jsonl", b'{"a":"\\ud83d\\ude00"}')) == [("😀",)]
