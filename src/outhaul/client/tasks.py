"""Export jobs that are to be made, and what became of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from outhaul.client.errors import ClientError
from outhaul.client.jobs import Job


@dataclass(frozen=True, kw_only=True)
class Task:
    """One export job that is to be made, or taken up."""

    kind_path: str
    """`leads`, `activities`, `program/members` or `customobjects/<name>`."""
    request: Mapping[str, Any]
    """The body of the call that creates the job."""
    name: str
    """What people read, such as "activities 2026-01-01 to 2026-01-31"."""
    family: str
    """Tasks of one family foretell each other's size."""
    span: float = 1.0
    """How much of its family the task asks for, such as the seconds of its window. Sizes are
    foreseen in proportion to it."""
    export_id: str | None = None
    """The job of an earlier run, which is taken up in place of a new one."""
    key: Any = None
    """The caller's own."""


@dataclass(frozen=True, kw_only=True)
class Landed:
    """What became of a task: a Completed job, or an error."""

    task: Task
    job: Job | None
    """The job as it was seen last; `None` if none was created, or if it was not found."""
    error: ClientError | None = None
    """Why there is no file: the request was refused, or the job failed, was cancelled or is gone.
    """
    path: str = ""
    """The path of the job's file, for `download`; empty if there is an error."""
