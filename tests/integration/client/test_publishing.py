"""Where the bytes go: files of any mode, links, devices, closed pipes, folders that do not work."""

import os
import stat
import subprocess
from pathlib import Path

import pytest
from tests.support.extracting import (
    LABEL,
    NOTHING,
    OLD,
    PART,
    TARGET,
    Scenario,
    arguments,
    play,
)
from tests.support.misbehaving import (
    ALWAYS,
    FILE,
    Endpoint,
    Fault,
    Http,
    OtherBytes,
    Refusal,
    Script,
)
from tests.support.processes import COMMAND, RUN_SECONDS, environment

TAKE_UP = "--export-id 00000001-"

SCENARIOS = [
    Scenario(name="a new file"),
    Scenario(name="a file that is replaced", before={TARGET: OLD}),
    Scenario(
        name="other files are left alone",
        before={TARGET: OLD, "other.csv": OLD},
        disk={TARGET: FILE, "other.csv": OLD},
    ),
    Scenario(
        name="the old file stays: create is refused",
        before={TARGET: OLD},
        faults=[Fault("create", Refusal("1003", "Invalid filter"))],
        status=1,
        disk={TARGET: OLD},
        left=[],
    ),
    Scenario(
        name="the old file stays: the file is never there",
        before={TARGET: OLD},
        faults=[Fault("file", Http(404), times=ALWAYS)],
        status=1,
        disk={TARGET: OLD},
    ),
    Scenario(
        name="/dev/null",
        options=["--output", "/dev/null"],
        disk=NOTHING,
    ),
    Scenario(
        name="/dev/full",
        options=["--output", "/dev/full"],
        status=1,
        says=["/dev/full: No space left on device", TAKE_UP],
        disk=NOTHING,
    ),
    Scenario(
        name="/dev/null, with wrong bytes",
        options=["--output", "/dev/null"],
        faults=[Fault("file", OtherBytes(lambda file: b"X" + file[1:]), times=ALWAYS)],
        status=1,
        says=["not the one that the server announced", TAKE_UP],
        disk=NOTHING,
    ),
    *(
        Scenario(
            name=f"refused before a job is made: {output}",
            options=["--output", output],
            status=2,
            says=["--output"],
            disk=NOTHING,
            left=[],
            calls={"token": 0},
        )
        for output in (
            "{folder}",
            "{folder}/",
            "{folder}/none/leads.csv",
            "{folder}/new/",
            "",
            "/dev/fd/87",
            "/dev/stdin/x",
        )
    ),
    Scenario(
        name="refused before a job is made: a file as the folder",
        options=["--output", "{folder}/leads.csv/x"],
        before={TARGET: OLD},
        status=2,
        says=["--output"],
        disk={TARGET: OLD},
        left=[],
        calls={"create": 0},
    ),
    Scenario(
        name="refused before a job is made: JSON and the file to one stream",
        options=["--output", "-", "--json"],
        status=2,
        says=["--json"],
        disk=NOTHING,
        left=[],
        calls={"create": 0},
    ),
    Scenario(
        name="a name of 255 bytes",
        options=["--output", "{folder}/" + "x" * 251 + ".csv"],
        disk={"x" * 251 + ".csv": FILE},
    ),
    Scenario(
        name="a name that could be markup",
        options=["--output", "{folder}/[red]é.csv"],
        says=[r"written to .*/\[red\]é\.csv$"],
        disk={"[red]é.csv": FILE},
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_scenario(scenario: Scenario, tmp_path: Path) -> None:
    play(scenario, tmp_path)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_the_mode_of_an_existing_file_stays(mode: int, tmp_path: Path) -> None:
    target = tmp_path / TARGET
    target.write_bytes(OLD)
    target.chmod(mode)
    play(Scenario(name="mode", before={}), tmp_path)
    assert stat.S_IMODE(target.stat().st_mode) == mode


def test_the_mode_of_a_new_file_is_that_of_the_process(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        play(Scenario(name="mode"), tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / TARGET).stat().st_mode) == 0o640


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "real.csv").write_bytes(OLD)
    (tmp_path / TARGET).symlink_to(Path("there", "real.csv"))
    play(Scenario(name="link"), tmp_path)
    assert (tmp_path / TARGET).is_symlink()
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["real.csv"]


def test_a_folder_in_the_place_of_the_partial_file(tmp_path: Path) -> None:
    (tmp_path / PART).mkdir()
    play(Scenario(name="folder", status=1, says=[PART], disk=NOTHING, left=[]), tmp_path)


def test_a_folder_in_the_place_of_the_label(tmp_path: Path) -> None:
    (tmp_path / LABEL).mkdir()
    play(Scenario(name="folder", status=1, says=[LABEL], disk=NOTHING, left=[]), tmp_path)


def test_a_link_in_the_place_of_the_partial_file_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(OLD)
    (tmp_path / PART).symlink_to(victim)
    scenario = Scenario(
        name="link", status=1, says=[PART], disk={"victim": OLD, PART: OLD}, left=[]
    )
    play(scenario, tmp_path)


@pytest.mark.parametrize("reads", [0, 100])
def test_a_reader_of_standard_output_that_ends(reads: int, tmp_path: Path) -> None:
    endpoint = Endpoint(script=Script(file=FILE * 100))
    with endpoint.serving() as url:
        words = arguments(url, tmp_path, ["--output", "-"])
        with subprocess.Popen(
            [*COMMAND, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.read(reads)
            process.stdout.close()
            said = process.stderr.read().decode()
            process.wait(RUN_SECONDS)
    assert process.returncode == 1
    assert "Traceback" not in said
    assert "Exception ignored" not in said
    assert "--export-id 00000001-" in said
    assert endpoint.states == ["Completed"]
