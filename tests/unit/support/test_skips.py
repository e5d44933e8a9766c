from typing import Any

import pytest
from tests.support.skips import hold

REASON = "Skipped: the server is not installed"


def report(outcome: Any) -> pytest.TestReport:
    longrepr = ("tests/a.py", 3, REASON) if outcome == "skipped" else None
    return pytest.TestReport(
        "tests/a.py::test_it[bucket]", ("tests/a.py", 3, "test_it"), {}, outcome, longrepr, "setup"
    )


def test_a_skip_is_a_failure_that_says_why_it_was_skipped() -> None:
    skipped = report("skipped")
    hold(skipped, {"tests/b.py*": "of another"})
    assert skipped.outcome == "failed"
    assert REASON in str(skipped.longrepr)


def test_what_is_on_the_list_may_be_skipped() -> None:
    skipped = report("skipped")
    hold(skipped, {"tests/a.py::*": "there is no such server"})
    assert skipped.outcome == "skipped"


def test_nothing_else_is_changed() -> None:
    for outcome in ("passed", "failed"):
        ended = report(outcome)
        hold(ended, {})
        assert ended.outcome == outcome
