"""Opening of a file: its name says which reader reads it."""

from pathlib import Path

from outhaul.records.readers.delimited import DELIMITERS, CsvReader
from outhaul.records.readers.json_lines import JsonLinesReader
from outhaul.records.readers.parquet import ParquetReader
from outhaul.records.readers.reader import FileError, Problem, Reader
from outhaul.records.readers.sources import COMPRESSIONS, check_path

JSON_LINES = (".jsonl", ".ndjson")
PARQUET = ".parquet"

ENDINGS = (*DELIMITERS, *JSON_LINES, PARQUET)
"""The ends of the names of files that can be loaded. One of `COMPRESSIONS` may follow."""

_ADVICE = {
    ".json": "; JSON Lines, with one object on each line, ends in .jsonl",
    ".xlsx": "; save the sheet as CSV",
    ".xls": "; save the sheet as CSV",
    ".txt": "; the end says what separates the cells",
    ".zip": "; unpack it",
}


def open_reader(path: Path, batch_bytes: int | None = None) -> Reader:
    """Return a reader for a file, by the end of its name. Raises `FileError`.

    `batch_bytes` is how much of a text is read at a time, if not `BATCH_BYTES`: less needs less
    memory, and more is faster.
    """
    check_path(path)
    name = path if path.suffix.lower() not in COMPRESSIONS else path.with_suffix("")
    form = name.suffix.lower()
    if form in DELIMITERS:
        return CsvReader(path, form, batch_bytes)
    if form in JSON_LINES:
        return JsonLinesReader(path, batch_bytes)
    if form == PARQUET:
        return ParquetReader(path)
    problem = (
        f"cannot tell what it is: its name ends in none of {', '.join(ENDINGS)}, with or without "
        f"{' or '.join(COMPRESSIONS)}{_ADVICE.get(form, '')}"
    )
    raise FileError(path, [Problem(0, problem)])
