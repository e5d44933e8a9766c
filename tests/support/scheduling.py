"""In which order tests run, and which of them share a process.

A process is given the tests of a module together, so that what the module sets up is set up once.
The longest modules come first: none of them runs alone at the end.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER = {
    "ray": ("integration/export/test_executors.py", "integration/export/ray/"),
    "server": (
        "acceptance/test_cli_extract.py",
        "acceptance/test_marketorestpython",
        "acceptance/test_node_marketo_rest.py",
        "acceptance/test_source_marketo.py",
        "acceptance/test_cgo_mkto_api.py",
    ),
}
"""What several modules share is set up once, too: a Ray cluster, a server with its records."""

APART = ("integration/test_kills.py", "acceptance/test_real_exports.py")
"""Modules of a few long tests that share nothing."""

LONGEST = (
    "integration/test_kills.py",
    "acceptance/test_tap_marketo.py",
    "integration/export/ray/",
    "integration/export/test_executors.py",
    "integration/client/test_outputs.py",
    "acceptance/",
    "integration/test_",
    "integration/",
)
"""How the longest modules begin, the longest first."""


def group(nodeid: str) -> str:
    """Return what a test is scheduled with: its module, unless one of the tables says otherwise."""
    path = nodeid.partition("::")[0]
    for name, beginnings in TOGETHER.items():
        if any(beginning in nodeid for beginning in beginnings):
            return name
    return nodeid if path.endswith(APART) else path


def order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return tests in the order in which they are to be begun."""
    return sorted(items, key=lambda item: _rank(item.nodeid))


def _rank(nodeid: str) -> int:
    ranks = (n for n, beginning in enumerate(LONGEST) if f"tests/{beginning}" in nodeid)
    return next(ranks, len(LONGEST))


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Give groups of tests to the processes, in the order of the tests."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False  # not by how many tests they have
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)
