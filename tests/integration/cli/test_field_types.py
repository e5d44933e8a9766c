"""`outhaul load` says which fields have another type than the catalog says, and which changed."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from outhaul.cli import app

Load = Callable[..., Any]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load the content of one file, and return the last line of standard error, and the JSON."""
    for name in [name for name in os.environ if name.startswith("OUTHAUL_")]:
        monkeypatch.delenv(name)

    def run(what: str, name: str, content: str, *words: str) -> tuple[str, Any]:
        path = tmp_path / name
        path.write_text(content, "utf-8")
        command = ["load", what, str(path), "--data", str(tmp_path / "data"), *words]
        result = CliRunner().invoke(app, command)
        if isinstance(result.exception, Exception):
            raise result.exception
        lines = result.stderr.replace(f"{tmp_path}/", "").rstrip().splitlines()
        return lines[-1] if lines else "", json.loads(result.stdout) if result.stdout else None

    return run


def described(of: str) -> str:
    field = {"id": 9001, "displayName": "Shoe", "dataType": of, "rest": {"name": "shoe"}}
    return json.dumps({"result": [field]})


def test_a_catalog_that_contradicts_the_lake(load: Load) -> None:
    said, _ = load("catalog", "a.json", described("string"))
    assert said == "a.json: 1 entries of the catalog"
    load("leads", "a.csv", "id,shoe\n1,x\n")
    said, _ = load("catalog", "b.json", described("integer"))
    reason = (
        "the catalog says integer, but the column has had the type string since an earlier load"
    )
    assert said == f"b.json: field 'shoe' stays string: {reason}"
    stays = {"field": "shoe", "type": "string", "outcome": "kept", "reason": reason}
    _, found = load("catalog", "b.json", described("integer"), "--json")
    assert found["files"][0]["fieldTypes"] == [stays]
    said, _ = load("leads", "b.csv", "id,shoe\n2,y\n")
    assert said == f"b.csv: field 'shoe' stays string: {reason}"
    _, found = load("leads", "b.csv", "id,shoe\n2,y\n", "--json")
    assert found["files"][0]["fieldTypes"] == [stays]
    _, found = load("leads", "c.csv", "id\n3\n", "--json")
    assert "fieldTypes" not in found["files"][0]


def test_a_field_that_is_widened(load: Load) -> None:
    load("leads", "a.csv", "id,shoe\n1,5\n", "--infer-fields")
    said, _ = load("leads", "b.csv", "id,shoe\n2,1.5\n")
    assert said.endswith(
        "b.csv:2: shoe: '1.5' is not an integer; --infer-fields would widen the field"
    )
    said, _ = load("leads", "b.csv", "id,shoe\n2,1.5\n", "--infer-fields")
    reason = "it was integer, which does not hold every value of the file"
    assert said == f"b.csv: field 'shoe' becomes float: {reason}"
    _, found = load("leads", "c.csv", "id,shoe\n3,x\n", "--infer-fields", "--json")
    assert found["files"][0]["fieldTypes"] == [
        {
            "field": "shoe",
            "type": "string",
            "outcome": "widened",
            "reason": reason.replace("integer", "float"),
        }
    ]
