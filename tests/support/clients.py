"""Real clients that are Python programs, each with libraries of its own.

A client has a folder in `tests/acceptance/clients`: what to install, and a program that runs it.
"""

import subprocess

import pytest
from tests.support.paths import ROOT
from tests.support.processes import environment

FOLDER = ROOT / "tests" / "acceptance" / "clients"
RUN_SECONDS = 240


def needs(name: str) -> pytest.MarkDecorator:
    """Return the mark that skips tests of a client that is not installed."""
    installed = FOLDER / name / ".venv" / "installed"
    return pytest.mark.skipif(
        not installed.exists(),
        reason=f"{name} is not installed: make {installed.relative_to(ROOT)}",
    )


def run(name: str, *arguments: object, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run a client to its end. `variables` are further variables of its environment."""
    folder = FOLDER / name
    return subprocess.run(
        [folder / ".venv" / "bin" / "python", "-P", folder / "runner.py", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(**variables),
        timeout=RUN_SECONDS,
        check=False,
    )
