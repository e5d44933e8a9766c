"""Unexpected values for requests."""

import json
from typing import Any

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 2**63, "", "x", "1"),
    *([], [None], [""], ["x"], [1], [True], [[1]], [1, "x"]),
    *({}, {"startAt": "x"}, {"startAt": "2026-01-01"}, {"id": 1}),
    {"startAt": "2026-01-01", "endAt": "2026-01-31"},
)


def json_of(value: object) -> Any:  # noqa: ANN401 - JSON
    """Return a value after it was written to JSON and read again."""
    return json.loads(json.dumps(value))
