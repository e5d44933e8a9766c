"""A Ray cluster on this machine, whose nodes are processes."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import outhaul

LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Has Ray take 127.0.0.1 for what it is; otherwise it looks for an address that others reach."""


@dataclass(frozen=True)
class RayNodes:
    """A running Ray cluster; each of its nodes has one processor."""

    process: subprocess.Popen[str]
    log: Path
    address: str

    def add(self) -> int:
        """Add a node; return the process that all others of it come from."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(_answer(self.process, self.log)["raylet"])


def _answer(process: subprocess.Popen[str], log: Path) -> dict[str, str]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, log.read_text()
    return dict(json.loads(line))


@contextmanager
def ray_cluster() -> Iterator[RayNodes]:
    """Run a cluster; the nodes that tests add to it end with it."""
    # Its sockets are below, and their paths must not be long.
    with tempfile.TemporaryDirectory(prefix="ray") as folder, pytest.MonkeyPatch.context() as patch:
        for name, value in LOOPBACK.items():  # for who connects, too
            patch.setenv(name, value)
        (Path(folder) / "ray").mkdir()
        nodes_have = {
            "PYTHONPATH": str(Path(outhaul.__file__).parents[1]),
            "RAY_TMPDIR": folder,
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        log = Path(folder) / "log"
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                # With -P: the modules next to the script must not hide those of libraries.
                [sys.executable, "-P", str(Path(__file__).with_name("ray_nodes.py"))],
                env=os.environ | nodes_have,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        with process:  # and then its input is closed, and it ends
            yield RayNodes(process, log, str(_answer(process, log)["address"]))
