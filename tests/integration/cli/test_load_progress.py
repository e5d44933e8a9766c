"""What `outhaul load` shows while it runs: progress in a terminal, and nothing of it elsewhere."""

import os
import pty
import subprocess
import sys
from pathlib import Path

RECORDS = 3_000


def write(folder: Path) -> Path:
    path = folder / "a.csv"
    path.write_text("id,email\n" + "".join(f"{n},x\n" for n in range(1, RECORDS + 1)), "utf-8")
    return path


def words(path: Path, data: Path) -> list[str]:
    return [sys.executable, "-m", "outhaul", "load", "leads", str(path), "--data", str(data)]


def test_progress_is_shown_in_a_terminal_and_then_what_was_loaded(tmp_path: Path) -> None:
    path = write(tmp_path)
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    with subprocess.Popen(
        words(path, tmp_path / "data"), stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        shown = read_all(ours)
        assert process.wait() == 0
    os.close(ours)
    assert "loading a.csv" in shown
    assert f"{path}: {RECORDS} leads added, 0 changed, 0 unchanged" in shown


def test_no_progress_is_shown_elsewhere(tmp_path: Path) -> None:
    path = write(tmp_path)
    done = subprocess.run(
        words(path, tmp_path / "data"), capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    assert done.stderr == f"{path}: {RECORDS} leads added, 0 changed, 0 unchanged\n"


def read_all(terminal: int) -> str:
    content = b""
    while True:
        try:
            more = os.read(terminal, 65_536)
        except OSError:  # Linux says so when the other side is closed
            return content.decode()
        if not more:
            return content.decode()
        content += more
