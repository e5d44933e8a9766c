import gzip
import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from tests.support.reading_files import read, refused, write

from outhaul.records.readers import FileError, Problem, open_reader

CSV = b"a,b\n" + b"".join(b"%d,x\n" % n for n in range(5_000))
ROWS = [(str(n), "x") for n in range(5_000)]
FORMS = {
    ".csv": CSV,
    ".tsv": CSV.replace(b",", b"\t"),
    ".ssv": CSV.replace(b",", b";"),
    ".jsonl": b"".join(b'{"a":"%d","b":"x"}\n' % n for n in range(5_000)),
}
FORMS[".ndjson"] = FORMS[".jsonl"]


def zstd(content: bytes) -> bytes:
    return bytes(pa.compress(content, codec="zstd", asbytes=True))


Compress = Callable[[bytes], bytes]
COMPRESSIONS = pytest.mark.parametrize(
    ("ending", "compress"), [(".gz", gzip.compress), (".ZST", zstd)]
)


@COMPRESSIONS
@pytest.mark.parametrize("form", FORMS)
def test_a_compressed_file_is_read_as_the_file_is(
    form: str, ending: str, compress: Compress, tmp_path: Path
) -> None:
    path = write(tmp_path, f"a.b{form}{ending}", compress(FORMS[form]))
    assert read(path) == ROWS


@COMPRESSIONS
def test_parquet_may_be_compressed_as_a_whole(
    ending: str, compress: Compress, tmp_path: Path
) -> None:
    pl.DataFrame(ROWS, schema=["a", "b"], orient="row").write_parquet(tmp_path / "a.parquet")
    content = (tmp_path / "a.parquet").read_bytes()
    assert read(write(tmp_path, f"b.parquet{ending}", compress(content))) == ROWS


@COMPRESSIONS
def test_members_that_follow_each_other_are_one_file(
    ending: str, compress: Compress, tmp_path: Path
) -> None:
    content = b"".join(compress(CSV[n : n + 7_001]) for n in range(0, len(CSV), 7_001))
    assert read(write(tmp_path, f"a.csv{ending}", content + compress(b""))) == ROWS


@COMPRESSIONS
@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: content[:9],
        lambda content: content + b"x",
        lambda content: content + b"garbage" * 100,
        lambda content: content + content[:20],
        lambda _: CSV,
    ],
)
def test_a_damaged_compressed_file_is_refused(
    ending: str, compress: Compress, spoil: Compress, tmp_path: Path
) -> None:
    problem = refused(write(tmp_path, f"a.csv{ending}", spoil(compress(CSV))))
    assert problem.startswith(": damaged, or not compressed with ")


@COMPRESSIONS
def test_an_empty_file_is_not_a_compressed_one(
    ending: str, compress: Compress, tmp_path: Path
) -> None:
    assert refused(write(tmp_path, f"a.jsonl{ending}", b"")).startswith(": empty, ")
    assert read(write(tmp_path, f"b.jsonl{ending}", compress(b""))) == []


@COMPRESSIONS
def test_progress_counts_compressed_bytes(
    ending: str, compress: Compress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outhaul.records.readers.delimited.BATCH_BYTES", 10_000)
    content = b"a,b\n" + b"".join(b"%s,x\n" % os.urandom(20).hex().encode() for _ in range(90_000))
    shares: list[float] = []
    reader = open_reader(write(tmp_path, f"a.csv{ending}", compress(content)))
    for _ in reader.batches(shares.append):
        pass
    assert shares == sorted(shares)
    assert len({*shares}) > 3
    assert 0 < shares[0] < 0.5
    assert shares[-1] == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(CSV), "compressed with gzip"),
        (zstd(CSV), "compressed with zstd"),
        (b"PAR1" + bytes(20), "a Parquet file"),
        (b"PK\x03\x04" + bytes(20), "a ZIP archive"),
        (b"BZh91AY&SY", "bzip2"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        (b"\xfe\xff\0a", "UTF-16"),
        (bytes(range(256)), ""),
        (os.urandom(5_000), ""),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_a_file_that_is_no_text_is_told(
    name: str, content: bytes, reason: str, tmp_path: Path
) -> None:
    assert reason in refused(write(tmp_path, name, content))


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.gz", ".csv", "a.csv.gz.gz", "a.csv.bz2"])
def test_a_name_must_say_what_the_file_is(name: str, tmp_path: Path) -> None:
    problem = refused(write(tmp_path, name, b"a\n1\n"))
    assert problem.startswith(": cannot tell what it is: its name ends in none of .csv, ")


def test_a_name_of_json_is_given_advice(tmp_path: Path) -> None:
    assert refused(write(tmp_path, "a.json", b"[]")).endswith(
        "one object on each line, ends in .jsonl"
    )


def test_a_file_must_be_there(tmp_path: Path) -> None:
    assert refused(tmp_path / "missing.csv") == ": no such file"
    (tmp_path / "link.csv").symlink_to("away.csv")
    assert refused(tmp_path / "link.csv") == ": a symbolic link to away.csv, which does not exist"
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    assert refused(tmp_path / "loop.csv") == ": too many levels of symbolic links"
    file = write(tmp_path, "a", b"")
    assert refused(file / "b.csv") == ": not a directory"


def test_what_is_no_regular_file_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "f.csv"
    folder.mkdir()
    assert refused(folder) == f": a folder; name the files in it, for example {folder}/*.csv"
    os.mkfifo(tmp_path / "pipe.csv")
    assert refused(tmp_path / "pipe.csv").startswith(": a pipe (FIFO); only regular files")
    assert refused(Path("/dev/null")).startswith(": a device; only regular files")


def test_a_file_that_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "a.csv", CSV)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert refused(path) == ": permission denied"


@pytest.mark.parametrize(("misfits", "more"), [(1, 0), (2, 3)])
def test_an_error_tells_all_that_it_has(misfits: int, more: int) -> None:
    found = [Problem(n, f"reason {n}") for n in range(misfits)]
    lines = str(FileError(Path("a.csv"), found, more)).splitlines()
    assert lines[0] == "a.csv: reason 0"
    assert lines[1:misfits] == [f"a.csv:{n}: reason {n}" for n in range(1, misfits)]
    assert lines[misfits:] == (["a.csv: and 3 more"] if more else [])
