"""A whole service over Azure: the lake and export files are in a container."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from tests.support.azure import KEY, Azurite, Container
from tests.support.sites import MOMENT, Site, site
from tests.support.waiting import PATIENCE, wait_for

from outhaul.client import Exports, Session, download

FILTER = {
    "createdAt": {"startAt": "2025-12-21T12:00:00Z", "endAt": MOMENT.strftime("%Y-%m-%dT%H:%M:%SZ")}
}


@pytest.fixture(scope="module")
def container(azurite: Azurite) -> Container:
    made = azurite.bucket()
    made.make()
    return made


@pytest.fixture(scope="module")
def place(container: Container, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with site(folder, f"sqlite:///{folder / 'state.db'}", container) as made:
        yield made


@contextmanager
def served(place: Site, log: Path, *options: str) -> Iterator[str]:
    """Serve the site, with a worker; give the URL."""

    def ready() -> str | None:
        assert process.poll() is None, log.read_text()
        said = log.read_text().partition("outhaul serves ")[2]
        return said.split()[0] if "\n" in said else None

    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", "outhaul", "serve", "--port", "0", *options],
            env=place.variables(),
            stderr=stderr,
        ) as process,
    ):
        try:
            yield wait_for(ready)
        finally:
            process.terminate()
            process.wait(PATIENCE)
    assert KEY not in log.read_text()


@pytest.mark.parametrize("options", [(), ("--files-redirect",)], ids=["streamed", "redirected"])
def test_a_job_from_its_request_to_its_file(
    place: Site, container: Container, tmp_path: Path, options: tuple[str, ...]
) -> None:
    expected, _ = place.rendered("default", "activities", {"filter": FILTER})
    user = place.service(f"{len(options)}@example.com", "default")
    target = tmp_path / "activities.csv"
    with (
        served(place, tmp_path / "log", *options) as url,
        Session(url, user.client_id, user.client_secret) as session,
    ):
        exports = Exports(session, "activities")
        job = exports.run({"filter": FILTER})
        path = exports.file_path(job.export_id)
        download(session, path, job, target)
        headers = {"Authorization": f"Bearer {session._token()}"}
        answer = httpx2.get(f"{url}{path}", headers=headers)
        assert answer.status_code == (307 if options else 200)
    assert target.read_bytes() == expected
    stored = container.keys()
    parts = [key for key in stored if key.startswith(f"files/{job.export_id}/")]
    assert (len(parts) == 1) == bool(options)
    assert any(key.startswith("lake/default/activities/") for key in stored)
