"""Reading files in tests of the readers."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import strategies as st
from tests.support.examples import examples

from outhaul.records.readers import FileError, open_reader

Row = tuple[Any, ...]

EXAMPLES = examples(80, suppress_health_check=[HealthCheck.function_scoped_fixture])
# Whatever is hard to write, and whatever is easy to confuse.
TEXTS = st.text(st.sampled_from([*'a,"\t ;\r\n\0\x0b\x1c\x85\u2028\ufeff\\é😀'])) | st.text()
CELLS = st.none() | st.sampled_from(["", "null", " null", "NULL", '""']) | TEXTS


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def read(path: Path) -> list[Row]:
    batches = list(open_reader(path).batches(lambda _: None))
    return [row for batch in batches for row in batch.rows()]


def refused(path: Path) -> str:
    """Return the problem with a file, without its path."""
    with pytest.raises(FileError) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    return text.removeprefix(str(path))
