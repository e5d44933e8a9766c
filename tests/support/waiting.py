"""Waiting for what another process or thread does."""

import time
from collections.abc import Callable
from typing import Any

import pytest

PATIENCE = 120
"""Seconds after which something that should happen is said not to. A busy machine takes long."""


def wait_for(what: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Return what a function gives as soon as it is true."""
    last = time.monotonic() + seconds
    pause = 0.005
    while time.monotonic() < last:
        found = what()
        if found:
            return found
        time.sleep(pause)
        pause = min(pause * 1.2, 0.05)  # so that waiting leaves the processors to the others
    return pytest.fail(f"not within {seconds} s")
