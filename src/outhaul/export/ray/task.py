"""The work of a node of the cluster for one part."""

import pickle
import uuid
from contextlib import closing
from typing import Any

from outhaul.export.plan import PartTask
from outhaul.export.render import store_part
from outhaul.lake.snapshot import Lake
from outhaul.settings import Settings
from outhaul.storage.opening import open_files


def pack(settings: Settings, task: PartTask, lake: Lake) -> bytes:
    """Return the pickled arguments for rendering a part on a node."""
    return pickle.dumps((settings, task, lake.location))


def render_packed(packed: bytes) -> dict[str, Any]:
    """Render a part on a node, given the result of `pack`; return the part as plain data."""
    settings, task, location = pickle.loads(packed)  # noqa: S301 - pickled by the worker
    key = f"{task.key}.{uuid.uuid4().hex}"
    with closing(open_files(settings)) as files:
        # The check does nothing, because Ray ends the process to cancel the task.
        part = store_part(task, Lake(location), files, key, lambda: None, cached=False)
    return {"part": [part.number, part.key, part.size, part.records]}
