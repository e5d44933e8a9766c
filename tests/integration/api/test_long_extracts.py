"""Extracts of several windows from outhaul have the bytes of the one job that asks for all."""

import gzip
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.instance import Instance, Serve

from outhaul.client import Extract, Extracted, Means, Pace, Period, Session, Wanted, open_output
from outhaul.worker import Worker

PERIOD = "2025-12-21T12:00:00Z/2026-01-20T12:00:00Z"
FORMATS = ("CSV", "TSV", "SSV", "JSONL", "CSV.GZ", "TSV.GZ", "SSV.GZ", "JSONL.GZ")
MEMBERS: dict[str, Any] = {"fields": ["statusName", "email"]}

LEADS: dict[str, Any] = {"fields": ["email", "company"], "filter": {}}
ONE = {**MEMBERS, "filter": {"programId": 1004}}
SEVERAL = {**MEMBERS, "filter": {"programIds": [1004, 1005]}}
BOATS = {"fields": ["leadId", "boatName", "marketoGUID"], "filter": {}}
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "leads": ("leads", "createdAt", LEADS),
    "edited leads": ("leads", "updatedAt", {**LEADS, "fields": ["updatedAt", "id", "email"]}),
    "activities": ("activities", "createdAt", {"filter": {}}),
    "members": ("program/members", "updatedAt", ONE),
    "members of several": ("program/members", "updatedAt", SEVERAL),
    "custom objects": ("customobjects/boat_c", "updatedAt", BOATS),
    "custom objects without key": (
        "customobjects/boat_c",
        "updatedAt",
        {"fields": ["boatName"], "filter": {}},
    ),
}


@pytest.fixture(scope="module")
def working(serve_module: Serve) -> Iterator[Instance]:
    """An instance with a worker."""
    instance = serve_module(updated_at_filter=True, date_range_days=400, daily_export_mb=None)
    worker = Worker(instance.settings, clock=instance.clock)
    thread = threading.Thread(target=worker.run)
    thread.start()
    yield instance
    worker.stop()
    thread.join()


def extracted(
    instance: Instance, name: str, file_format: str, folder: Path, days: int | None
) -> tuple[bytes, Extracted]:
    kind, by, request = KINDS[name]
    credentials = instance.credentials["etl"]
    with (
        Session(
            "http://testserver",
            credentials.client_id,
            credentials.client_secret,
            transport=instance.client._transport,
        ) as session,
        open_output(folder / "out") as sink,
        Extract(
            session,
            Wanted(
                kind_path=kind,
                request={**request, "format": file_format},
                period=Period.of(PERIOD),
                by=by,
                window_days=days,
            ),
            folder / "parts",
            means=Means(pace=Pace(poll_seconds=0.2)),
        ) as extract,
    ):
        found = extract.join(sink)
    content = (folder / "out").read_bytes()
    return gzip.decompress(content) if file_format.endswith(".GZ") else content, found


@pytest.mark.parametrize(
    ("name", "file_format"),
    [
        *((name, file_format) for name in KINDS for file_format in ("CSV", "JSONL")),
        *(("leads", file_format) for file_format in FORMATS if file_format not in ("CSV", "JSONL")),
        ("activities", "TSV.GZ"),
        ("members of several", "SSV"),
    ],
)
def test_the_windows_of_a_period_give_the_bytes_of_one_job(
    working: Instance, name: str, file_format: str, tmp_path: Path
) -> None:
    whole, one = extracted(working, name, file_format, tmp_path, None)
    joined, several = extracted(working, name, file_format, tmp_path, 12)
    assert (len(one.files), len(several.files)) == (1, 3)
    assert joined == whole
    assert several.records == one.records
    assert sum(bool(file.checked.records) for file in several.files) > 1
