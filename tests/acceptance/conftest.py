"""A real server, and a recording proxy before it that checks every answer."""

from collections.abc import Iterator

import pytest
from tests.support.answers import check
from tests.support.processes import Server, prepare, serve
from tests.support.recorder import recorded
from tests.support.records import write_records
from tests.support.schemas import Contract


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`outhaul serve` over the records of `records.py`.

    Modules that need other records load them into subscriptions of their own, while it runs.
    """
    files, data = tmp_path_factory.mktemp("files"), tmp_path_factory.mktemp("data")
    write_records(files)
    prepare("load", "catalog", files / "catalog.json", "--data", data)
    prepare("load", "leads", files / "leads.csv", "--data", data)
    prepare("load", "activities", files / "activities.csv", "--data", data)
    prepare("load", "list-members", files / "members.csv", "--data", data)
    with serve(data) as running:
        yield running


@pytest.fixture
def endpoint(server: Server, contract: Contract | None) -> Iterator[str]:
    """The address where clients call the server; at the end every answer is checked."""
    with recorded(server.url) as recorder:
        yield recorder.url
    for call in recorder.calls:
        check(call, contract)
