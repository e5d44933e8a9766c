"""Joined files are what one job would have written."""

import gzip
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outhaul.client import cutting, joining
from outhaul.client.errors import JoinError
from outhaul.client.joining import Joined, join
from outhaul.client.layout import Layout
from outhaul.protocol.dialects import line

LEADS = {"fields": ["id", "email"], "filter": {}}
FORMATS = ("CSV", "TSV", "SSV", "JSONL", "CSV.GZ", "TSV.GZ", "SSV.GZ", "JSONL.GZ")
SEPARATORS = {"CSV": ",", "TSV": "\t", "SSV": " "}

Record = Mapping[str, Any]


def rendered(records: Sequence[Record], columns: Sequence[str], file_format: str) -> bytes:
    """Return records as outhaul writes them."""
    plain = file_format.removesuffix(".GZ")
    if plain == "JSONL":
        rows = [{name: record[name] for name in columns} for record in records]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    else:
        separator = SEPARATORS[plain]
        values = ([record[name] for name in columns] for record in records)
        text = line(columns, separator) + "".join(
            line([None if value is None else str(value) for value in row], separator)
            for row in values
        )
    return gzip.compress(text.encode()) if plain != file_format else text.encode()


def joined(
    kind: str, request: Record, windows: Sequence[Sequence[Record]], folder: Path
) -> tuple[bytes, Joined]:
    """Write the files of windows as an endpoint would, and join them."""
    layout = Layout.of(kind, request)
    columns = layout.columns or request["fields"]
    headers = layout.request.get("columnHeaderNames", {})
    named = [
        [{headers.get(name, name): record[name] for name in columns} for record in window]
        for window in windows
    ]
    files = []
    for number, window in enumerate(named):
        files.append(folder / f"{number}")
        names = [headers.get(name, name) for name in columns]
        files[-1].write_bytes(rendered(window, names, layout.file_format))
    out = io.BytesIO()
    found = join(files, layout, folder, out.write)
    assert found.size == len(out.getvalue())
    assert sorted(folder.iterdir()) == sorted(files)
    packed = layout.file_format.endswith(".GZ")
    return gzip.decompress(out.getvalue()) if packed else out.getvalue(), found


texts = st.none() | st.text(st.sampled_from('ab",;\t \n\r{}\\:é\u2028'), max_size=6)


@st.composite
def extracts(draw: st.DrawFn) -> tuple[str, dict[str, Any], list[list[Record]]]:
    """Return a kind, a request, and the records of windows, of which some are in several."""
    kind, keys, filters = draw(
        st.sampled_from(
            [
                ("leads", ["id"], {}),
                ("program/members", ["leadId"], {"programId": 1}),
                ("program/members", ["programId", "leadId"], {"programIds": [1, 2]}),
                ("customobjects/boat_c", ["marketoGUID"], {}),
            ]
        )
    )
    guids = st.text(st.sampled_from('aB1", é'), min_size=1, max_size=3)
    numbers = st.integers(1, 30)
    values = {"marketoGUID": guids, "programId": st.integers(1, 3)}
    asked = [name for name in keys if draw(st.booleans())]
    others = draw(st.sampled_from([["email"], ["email", "x"]]))
    fields = draw(st.permutations([*asked, *others]))
    one: st.SearchStrategy[Record] = st.fixed_dictionaries(
        {name: values.get(name, numbers) for name in keys} | {"email": texts, "x": texts}
    )
    windows = draw(st.lists(st.lists(one, max_size=12), min_size=2, max_size=7))
    unique = [[*{key_of(record, keys): record for record in window}.values()] for window in windows]
    if draw(st.booleans()):
        unique = [sorted(window, key=lambda each: key_of(each, keys)) for window in unique]
    file_format = draw(st.sampled_from(FORMATS))
    return kind, {"fields": fields, "format": file_format, "filter": filters}, unique


def key_of(record: Record, keys: Sequence[str]) -> tuple[Any, ...]:
    values = (record[name] for name in keys)
    return tuple(value.encode() if isinstance(value, str) else value for value in values)


@settings(deadline=None)
@given(
    extracts(),
    st.integers(2, 4),
    st.sampled_from([1, 60, 1 << 20]),
    st.sampled_from([1, 9, 1 << 20]),
)
def test_records_are_merged_by_their_key_and_the_later_of_two_counts(
    tmp_path_factory: pytest.TempPathFactory,
    extract: tuple[str, dict[str, Any], list[list[Record]]],
    most: int,
    run_bytes: int,
    block: int,
) -> None:
    kind, request, windows = extract
    keys = {"leads": ["id"], "program/members": ["programId", "leadId"]}.get(kind, ["marketoGUID"])
    keys = [name for name in keys if name != "programId" or "programIds" in request["filter"]]
    merged = {}
    for window in windows:
        for record in window:
            merged[key_of(record, keys)] = record
    records = [merged[key] for key in sorted(merged)]
    first = [name for name in keys if name == "programId"]
    columns = [*first, *(name for name in request["fields"] if name not in first)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joining, "_MOST_FILES", most)
        patch.setattr(joining, "_RUN_BYTES", run_bytes)
        patch.setattr(cutting, "_BLOCK", block)
        content, found = joined(kind, request, windows, tmp_path_factory.mktemp("files"))
    assert content == rendered(records, columns, request["format"].removesuffix(".GZ"))
    assert found.records == len(records)
    assert found.repeated == sum(map(len, windows)) - len(records)


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
@pytest.mark.parametrize("file_format", FORMATS)
def test_activities_follow_each_other_with_one_header(
    file_format: str, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutting, "_BLOCK", block)
    records = [{"marketoGUID": text, "attributes": '{"a":"b\n"}'} for text in "zyxcba"]
    request = {"fields": ["marketoGUID", "attributes"], "format": file_format}
    windows = [records[:2], [], records[2:5], records[5:]]
    content, found = joined("activities", request, windows, tmp_path)
    assert content == rendered(records, request["fields"], file_format.removesuffix(".GZ"))
    assert (found.records, found.repeated) == (None, 0)


def test_the_file_of_one_window_stays_as_it_is(tmp_path: Path) -> None:
    content = gzip.compress(b"id,email\n2,a\n1,b")
    assert _written("leads", [content], tmp_path, "CSV.GZ") == content


def test_a_last_line_without_a_line_feed_is_a_record(tmp_path: Path) -> None:
    for kind in ("activities", "leads"):
        contents = [b"id,email\n1,a", b"", b"id,email\n", b"id,email\n2,b"]
        out = _written(kind, contents, tmp_path)
        assert out.rstrip(b"\n") == b"id,email\n1,a\n2,b"


def test_runs_of_a_window_that_was_sorted_are_still_one_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "_MOST_FILES", 2)
    monkeypatch.setattr(joining, "_RUN_BYTES", 1)
    monkeypatch.setattr(cutting, "_BLOCK", 1)
    contents = [b"id,email\n1,a\n", b"id,email\n7,b\n1,c\n"]
    assert _written("leads", contents, tmp_path) == b"id,email\n1,c\n7,b\n"


def test_records_of_one_window_with_the_same_key_all_stay(tmp_path: Path) -> None:
    contents = [b"id,email\n1,a\n1,b\n2,c\n", b"id,email\n2,d\n2,e\n3,f\n"]
    assert _written("leads", contents, tmp_path) == b"id,email\n1,a\n1,b\n2,d\n2,e\n3,f\n"


@pytest.mark.parametrize(
    ("kind", "contents", "problem"),
    [
        ("leads", [b"id,email\n1,a\n", b"id,mail\n2,b\n"], "1: its header is not that"),
        ("activities", [b"id,email\n1,a\n", b"id,mail\n2,b\n"], "1: its header is not that"),
        ("leads", [b"id\n1\n"] * 2, "0: it does not have the 2 columns id, email"),
        ("leads", [b"id,email\n1,a\nx,b\n", b""], "0: there is no id in the record 'x,b'"),
        ("leads", [b"id,email\nnull,a\n", b""], "0: there is no id"),
        ("leads", [b'id,email\n1,"a\n', b""], "0: it ends within a quoted cell"),
    ],
)
def test_files_that_cannot_be_joined_are_named(
    kind: str, contents: list[bytes], problem: str, tmp_path: Path
) -> None:
    with pytest.raises(JoinError, match=problem):
        _written(kind, contents, tmp_path)


def test_gzip_data_that_end_too_soon_are_no_file(tmp_path: Path) -> None:
    content = gzip.compress(b"id,email\n1,a\n")[:-9]
    with pytest.raises(JoinError, match="0: "):
        _written("leads", [content, content], tmp_path, "CSV.GZ")


def _written(kind: str, contents: Sequence[bytes], folder: Path, file_format: str = "CSV") -> bytes:
    files = [folder / str(number) for number in range(len(contents))]
    for path, content in zip(files, contents, strict=True):
        path.write_bytes(content)
    out = io.BytesIO()
    join(files, Layout.of(kind, {**LEADS, "format": file_format}), folder, out.write)
    return out.getvalue()


@pytest.mark.parametrize(
    ("fields", "headers", "asked"),
    [
        (["id", "email"], {}, ({}, ["id", "email"])),
        (["ID", "email"], {}, ({}, ["ID", "email"])),
        (["email"], {}, ({"id": "outhaulKey"}, ["id", "email"])),
        (
            ["email"],
            {"email": "outhaulKey"},
            ({"email": "outhaulKey", "id": "outhaulKey1"}, ["id", "email"]),
        ),
    ],
)
def test_the_key_is_asked_for_by_a_name_that_no_other_column_has(
    fields: list[str], headers: dict[str, str], asked: tuple[dict[str, str], list[str]]
) -> None:
    request = {"fields": fields, **({"columnHeaderNames": headers} if headers else {})}
    found = Layout.of("leads", request).request
    assert (found.get("columnHeaderNames", {}), found["fields"]) == asked
