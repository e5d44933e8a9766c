"""The envelope that every JSON answer comes in."""

import secrets
import time
from collections.abc import Sequence
from typing import Any

NO_ASSETS = "No assets found for the given search criteria."


def request_id() -> str:
    """Return a new id of a call, in the form `e42b#14272d07d78`: chance, then milliseconds."""
    return f"{secrets.randbits(16):x}#{time.time_ns() // 1_000_000:x}"


def success(
    call: str, result: Sequence[Any], *, next_page_token: str | None = None
) -> dict[str, Any]:
    """Return the answer of a call that went well.

    On the last page there is no `nextPageToken` at all: a null one sends clients round for ever.
    """
    body: dict[str, Any] = {"requestId": call, "result": list(result), "success": True}
    if next_page_token is not None:
        body["nextPageToken"] = next_page_token
    return body


def found_assets(call: str, result: Sequence[Any]) -> dict[str, Any]:
    """Return the answer of a call about assets that went well.

    It has arrays of errors and warnings, though they are empty; where nothing was found it warns,
    and has no `result` at all, which is how clients that browse learn that they are done.
    """
    body: dict[str, Any] = {"success": True, "errors": [], "requestId": call, "warnings": []}
    if result:
        return {**body, "result": list(result)}
    return {**body, "warnings": [NO_ASSETS]}


def failure(call: str, code: str, message: str) -> dict[str, Any]:
    """Return the answer of a call that did not."""
    return {
        "requestId": call,
        "success": False,
        "errors": [{"code": code, "message": message}],
    }
