"""Files of variables for shells."""

import shlex
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.cli.environment import write_environment

VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126))


@given(value=VALUES)
def test_a_shell_reads_a_value_as_it_is(
    value: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("environment") / "some.env"
    write_environment(path, {"URL": "http://127.0.0.1:1", "CONTROL_TOKEN": value})
    assert shlex.split(path.read_text()) == ["URL=http://127.0.0.1:1", f"CONTROL_TOKEN={value}"]


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "some.env"
    write_environment(path, {"CLIENT_SECRET": "secret"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
