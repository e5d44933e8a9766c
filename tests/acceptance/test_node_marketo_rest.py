"""node-marketo-rest, unmodified: a client in JavaScript, which sends a body with every call."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.support.processes import Server
from tests.support.records import (
    ACTIVITIES,
    ACTIVITY_FIELDS,
    JANUARY,
    LEAD_FIELDS,
    activities_file,
    leads_file,
)

HERE = Path(__file__).parent
SCRIPT = HERE / "extract.cjs"
INSTALLED = HERE / "node_modules" / ".installed"
NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="node is not installed")
@pytest.mark.skipif(
    not INSTALLED.exists(),
    reason="node-marketo-rest is not installed: make tests/acceptance/node_modules/.installed",
)
def test_leads_and_activities(server: Server, endpoint: str) -> None:
    answer = _run(
        {
            "url": endpoint,
            "clientId": server.client_id,
            "clientSecret": server.client_secret,
            "leads": {"fields": LEAD_FIELDS, "filter": {"createdAt": JANUARY}, "options": {}},
            "activities": {
                "filter": {"createdAt": JANUARY},
                "options": {
                    "fields": ACTIVITY_FIELDS,
                    "columnHeaderNames": {"leadId": "Lead"},
                    "format": "CSV",
                },
            },
        }
    )
    leads, activities = answer["leads"], answer["activities"]
    assert leads["file"] == leads_file([1, 2, 3])
    assert leads["job"]["status"] == "Completed"
    assert leads["job"]["numberOfRecords"] == 3
    rows = activities_file(name for name in ACTIVITIES if name != "late visit")
    assert activities["file"] == rows.replace(",leadId,", ",Lead,", 1)
    assert activities["states"] == ["Created", "Queued", "Completed"]
    assert activities["job"]["fileSize"] == len(activities["file"].encode())
    assert answer["cancelled"] == ["Cancelled", "Cancelled"]
    assert answer["refused"] == {
        "code": 200,
        "errors": [{"code": "1006", "message": "Field 'noSuchField' not found"}],
    }


def _run(wanted: dict[str, Any]) -> Any:
    assert NODE is not None
    done = subprocess.run(
        [NODE, SCRIPT, json.dumps(wanted)], capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)
