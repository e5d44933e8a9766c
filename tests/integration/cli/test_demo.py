from pathlib import Path

import httpx2
import pytest

from outhaul.cli import demo
from outhaul.settings import Settings


def test_the_server_of_a_demo_has_only_the_settings_of_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTHAUL_DATA", str(tmp_path / "another"))
    monkeypatch.setenv("OUTHAUL_LAKE_URL", "s3://there-is-none/lake")
    monkeypatch.setenv("OUTHAUL_FILES_URL", "s3://there-is-none/files")
    # Were the bucket used, nothing but this address would be called.
    monkeypatch.setenv("OUTHAUL_S3_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OUTHAUL_S3_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("OUTHAUL_S3_SECRET_ACCESS_KEY", "secret")
    with demo._server(Settings(data=tmp_path / "data", port=0)) as url:
        assert httpx2.get(f"{url}/healthz").status_code == 200
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
