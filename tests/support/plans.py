"""Plans of small lakes, and the files that they make."""

import io
from collections.abc import Mapping
from typing import Any

from outhaul.export.plan import Plan, make_plan
from outhaul.export.render import render_part
from outhaul.export.request import read_request
from outhaul.kinds import find_kind
from outhaul.kinds.filter import Context
from outhaul.lake.snapshot import Lake


def planned(
    job_kind: str,
    body: Mapping[str, Any],
    context: Context,
    lake: Lake,
    part_records: int = 1_000,
) -> Plan:
    """Return the plan of a job that was created with this body."""
    kind = find_kind(job_kind, context)
    return make_plan(kind, read_request(kind, body, context), context, lake, part_records)


def rendered_parts(plan: Plan, lake: Lake) -> list[bytes]:
    """Return the parts of the file, each rendered by itself."""
    parts = []
    for number in range(plan.part_count):
        target = io.BytesIO()
        render_part(plan.task(number, ""), lake, target, lambda: None)
        parts.append(target.getvalue())
    return parts


def rendered(plan: Plan, lake: Lake) -> bytes:
    """Return the file that a plan makes."""
    return b"".join(rendered_parts(plan, lake))
