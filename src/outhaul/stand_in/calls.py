"""The calls that a stand-in gets, and their names in the journal."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from starlette.types import Scope

from outhaul.api.identity import PATH as TOKEN_PATH
from outhaul.kinds import KINDS
from outhaul.kinds.registry import name_jobs
from outhaul.stand_in.who import Who

CALLS = ("token", "create", "enqueue", "status", "cancel", "list", "file")
"""The calls that have a name. Every other call is named by its path."""

_EXPORT = re.compile(
    r"/bulk/v1/(?P<kind>.+?)/export"
    r"(?:/(?:(?P<create>create)|(?P<job>[^/]+)/(?P<of_job>enqueue|status|cancel|file)))?\.json"
)
_CALL = "outhaul.call"


class Named(NamedTuple):
    """What the path of a call says."""

    name: str
    """One of `CALLS`, or the path."""
    kind: str | None
    """The kind of the export, such as `leads`, or `custom-objects/boat_c` with its type."""
    job: str | None
    """The id of the export job."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call, as it came in. It has no secret and no access token."""

    name: str
    """One of `CALLS`, or the path."""
    kind: str | None
    job: str | None
    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    """The JSON value of the body or the fields of a form; a text if it is neither. `None` if there
    is no body, or if it is too large."""
    body_bytes: int
    """The size of the body; 0 if it is too large to be recorded."""
    range: str | None
    """The header `Range`."""
    who: Who | None
    at: datetime
    """When it arrived, by the clock of the server."""


def name_call(path: str) -> Named:
    """Return the name of a call with this path, and the kind and the job that the path has."""
    if path == TOKEN_PATH:
        return Named("token", None, None)
    found = _EXPORT.fullmatch(path)
    if found is None:
        return Named(path, None, None)
    name = found["create"] or found["of_job"] or "list"
    return Named(name, _kind_named(found["kind"]), found["job"])


def set_call(scope: Scope, call: Call) -> None:
    """Attach a call to its scope, for `call_of`."""
    scope.setdefault("state", {})[_CALL] = call


def call_of(scope: Scope) -> Call:
    """Return the call of a scope. The journal, which is the outermost, has attached it."""
    found = scope["state"][_CALL]
    assert isinstance(found, Call)  # noqa: S101 - only `set_call` writes it
    return found


def _kind_named(path: str) -> str:
    """Return the kind with a path, as jobs are stored under; an unknown path as it is."""
    for kind in KINDS.values():
        if kind.type_parameter is None:
            if path == kind.path:
                return kind.name
            continue
        before, _, after = kind.path.partition(f"{{{kind.type_parameter.name}}}")
        type_name = path.removeprefix(before).removesuffix(after)
        if type_name and "/" not in type_name and path == f"{before}{type_name}{after}":
            return name_jobs(kind, type_name)
    return path
