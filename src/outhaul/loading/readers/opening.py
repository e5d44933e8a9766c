"""Opening of a file: its name says which reader reads it."""

from pathlib import Path

from outhaul.loading.readers.delimited import CsvReader
from outhaul.loading.readers.json_lines import JsonLinesReader
from outhaul.loading.readers.parquet import ParquetReader
from outhaul.loading.readers.reader import FileError, Problem, Reader

DELIMITERS = {".csv": ",", ".tsv": "\t", ".ssv": " "}
JSON_LINES = (".jsonl", ".ndjson")
PARQUET = ".parquet"


def open_reader(path: Path) -> Reader:
    """Return a reader for a file, by the extension of its name. Raises `FileError`."""
    if not path.is_file():
        raise FileError(path, [Problem(0, "no such file")])
    suffix = path.suffix.lower()
    if suffix in DELIMITERS:
        return CsvReader(path, DELIMITERS[suffix])
    if suffix in JSON_LINES:
        return JsonLinesReader(path)
    if suffix == PARQUET:
        return ParquetReader(path)
    endings = ", ".join([*DELIMITERS, *JSON_LINES, PARQUET])
    raise FileError(
        path, [Problem(0, f"cannot tell what it is: its name ends in none of {endings}")]
    )
