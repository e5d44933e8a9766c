"""How far tests of properties look: the profiles of Hypothesis.

    make test-fast                              fast: a few examples
    make test                                   quick: what a change should pass
    pytest --hypothesis-profile thorough        50 times as many

No profile has a deadline: the machine may be busy with something else.
"""

from typing import Any

import hypothesis

DEFAULT = 40
"""Examples of a test that asks for no other number, before the factor of the profile."""

FACTORS = {"fast": 0.25, "quick": 0.5, "thorough": 25.0}

LEAST = 4


def register() -> None:
    """Make the profiles known; quick is the one unless another is asked for."""
    for name, factor in FACTORS.items():
        hypothesis.settings.register_profile(
            name, deadline=None, max_examples=_scaled(DEFAULT, factor)
        )
    hypothesis.settings.load_profile("quick")


def examples(count: int, **more: Any) -> hypothesis.settings:
    """Return settings with another number of examples than others have, before the factor."""
    factor = FACTORS[hypothesis.settings.get_current_profile_name()]
    return hypothesis.settings(max_examples=_scaled(count, factor), **more)


def _scaled(count: int, factor: float) -> int:
    return max(LEAST, round(count * factor))
