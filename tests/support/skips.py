"""Which tests may be skipped in CI, and why. There, any other skip is a failure.

On other machines something may be missing that tests need: the test is skipped, and says so.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase

import pytest

MAY_SKIP: Mapping[str, str] = {}
"""Reasons by patterns of node ids, such as "tests/unit/storage/*[azure*]"."""


def hold(report: pytest.TestReport | pytest.CollectReport, may_skip: Mapping[str, str]) -> None:
    """Turn a skip that no pattern allows into a failure."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    if not any(fnmatchcase(report.nodeid, pattern) for pattern in may_skip):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = (
            f"{reason}\nIn CI a skip is a failure, unless tests/support/skips.py has it."
        )
