"""The README's page of curl, pasted."""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.paths import ROOT

README = ROOT / "README.md"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in which `make serve` is running, but on a free port."""
    command = [
        *(sys.executable, "-m", "outhaul", "demo", "--serve"),
        *("--data", "sample", "--port", "0"),
    ]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        said = []
        for line in server.stderr:
            said.append(line)
            if "in another shell" in line:
                break
        else:
            pytest.fail("".join(said))
        yield tmp_path
        server.send_signal(signal.SIGTERM)
        server.stderr.read()
        assert server.wait() == 0


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_page_of_curl_can_be_pasted(folder: Path) -> None:
    (script,) = re.findall(
        r"```sh\n(\. sample/sample\.env.*?)```", README.read_text("utf-8"), re.DOTALL
    )
    # A person waits a second; a busy machine may need longer.
    script = script.replace(
        "sleep 1\n",
        'for i in $(seq 100); do call "$URL/bulk/v1/leads/export/$ID/status.json" '
        "| grep -q Completed && break; sleep 0.1; done\n",
    )
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"status":"Queued"' in done.stdout
    (checksum,) = set(re.findall(r'"fileChecksum":"sha256:(\w{64})"', done.stdout))
    assert f"{checksum}  leads.csv" in done.stdout
    lines = (folder / "leads.csv").read_text("utf-8").splitlines()
    assert lines[0] == "id,firstName,Email Address,createdAt"
    assert len(lines) > 1_000 // 2
    assert '"success":true' in done.stdout
    assert '"success":false' not in done.stdout
