"""What an extract is to bring, and how it uses the endpoint for that."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from outhaul.client.extracted import ExtractWatch
from outhaul.client.queueing import Pace
from outhaul.client.ranges import Parallel
from outhaul.protocol.windows import Period


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What an extract is to bring."""

    kind_path: str
    """`leads`, `activities`, `program/members` or `customobjects/<name>`."""
    request: Mapping[str, Any]
    """The body of the call that creates a job, without the filter of the period."""
    period: Period | None = None
    """Without one, there is one job."""
    by: str = "createdAt"
    """The filter that has the period: `createdAt` or `updatedAt`."""
    window_days: int | None = None
    """The longest window. `None`: as long as the endpoint says, or 31 days."""
    newest_first: bool = False
    """Which windows are asked for first. It changes nothing about the files."""


@dataclass(frozen=True, kw_only=True)
class Means:
    """How an extract uses the endpoint."""

    at_once: int | None = None
    """Most jobs in the queue, those of others included. `None`: as many as the endpoint takes."""
    daily_bytes: int | Literal["told"] | None = "told"
    """The day's export quota; `told`: what the endpoint says, or 500 MB; `None`: no limit."""
    wait: bool = False
    """Whether to wait for the next day when the day's quota is spent."""
    pace: Pace = field(default_factory=Pace)
    parallel: Parallel = field(default_factory=Parallel)
    """How large files are fetched."""
    watch: ExtractWatch = field(default_factory=ExtractWatch)
