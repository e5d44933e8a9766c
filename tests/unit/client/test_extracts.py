"""Extracts of several windows: what they give, and how one goes on where another broke off."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.filing import START, Filing, Killed

from outhaul.client import (
    Extract,
    Extracted,
    ExtractedFile,
    ExtractWatch,
    Means,
    OutputError,
    OutputTakenError,
    Period,
    ProtocolError,
    QuotaSpentError,
    Wanted,
    Window,
    WindowsFailedError,
    extract_files,
    open_output,
)

PERIOD = "2025-01-01/2025-07-01"
REQUEST = {"fields": ["id", "email"], "filter": {}}
WINDOWS = 6


def wanted(period: str = PERIOD, **more: Any) -> Wanted:
    request = more.pop("request", REQUEST)
    return Wanted(kind_path="leads", request=request, period=Period.of(period), **more)


def brought(endpoint: Filing, folder: Path, what: Wanted | None = None, **means: Any) -> Extracted:
    """Bring all into one file as the command does."""
    with (
        endpoint.session(attempts=2) as session,
        open_output(folder / "out.csv") as sink,
        Extract(session, what or wanted(), folder / "parts", means=Means(**means)) as extract,
    ):
        return extract.join(sink)


def one_job(endpoint: Filing, fields: Sequence[str] = ("id", "email")) -> bytes:
    return endpoint.rendered("2025-01-01", "2025-07-01", fields)[0]


def test_windows_give_the_bytes_of_one_job(tmp_path: Path) -> None:
    endpoint = Filing()
    found = brought(endpoint, tmp_path)
    assert (tmp_path / "out.csv").read_bytes() == one_job(endpoint)
    assert (found.records, found.repeated, len(found.files)) == (725, 0, WINDOWS)
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert [job.state for job in endpoint.jobs] == ["Completed"] * WINDOWS
    assert endpoint.codes() == {"ok", "610"}  # it does not tell its limits


def test_a_key_that_is_not_wanted_is_asked_for_and_cut_out(tmp_path: Path) -> None:
    endpoint = Filing()
    brought(endpoint, tmp_path, wanted(request={"fields": ["email"], "filter": {}}))
    assert (tmp_path / "out.csv").read_bytes() == one_job(endpoint, ["email"])
    assert endpoint.jobs[0].request["fields"] == ["id", "email"]


@pytest.mark.parametrize("newest_first", [False, True])
def test_files_come_in_the_order_of_windows(tmp_path: Path, *, newest_first: bool) -> None:
    with Filing().session() as session:
        files = list(
            extract_files(
                session,
                "leads",
                REQUEST,
                period=PERIOD,
                folder=tmp_path / "files",
                newest_first=newest_first,
            )
        )
    starts = [file.window.start for file in files if file.window]
    assert starts == sorted(starts, reverse=newest_first)
    assert sorted((tmp_path / "files").iterdir()) == sorted(file.path for file in files)


def test_without_a_folder_the_files_are_there_for_a_while() -> None:
    with Filing().session() as session:
        for file in extract_files(session, "leads", REQUEST, period=PERIOD):
            assert file.path.stat().st_size == file.checked.size
    assert not file.path.exists()


def moments() -> Iterator[tuple[str, int, bool]]:
    """Return some calls of an undisturbed run, and whether the client dies before their effect."""
    for name, count in {"create": 6, "enqueue": 6, "list": 9, "file": 6}.items():
        for nth in sorted({1, 2, count}):
            yield from ((name, nth, True), (name, nth, False))


@pytest.mark.parametrize(("name", "nth", "before"), list(moments()))
def test_a_run_that_was_killed_is_gone_on_with(
    name: str, nth: int, before: bool, tmp_path: Path
) -> None:
    endpoint = Filing()
    endpoint.kill(name, nth, before=before)
    with pytest.raises(Killed):
        brought(endpoint, tmp_path)
    endpoint.revive()
    found = brought(endpoint, tmp_path)
    assert (tmp_path / "out.csv").read_bytes() == one_job(endpoint)
    assert found.records == 725
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    states = [job.state for job in endpoint.jobs]
    assert states.count("Completed") == WINDOWS
    # A job whose id never arrived stays in Created: nothing tells which request it has.
    lost = name == "create" and not before
    assert [state for state in states if state != "Completed"] == ["Created"] * lost


def test_the_end_stays_as_it_was_fixed_at_the_beginning(tmp_path: Path) -> None:
    endpoint = Filing(begin=START + timedelta(days=100, hours=1))
    endpoint.kill("file", 2, before=True)
    with pytest.raises(Killed):
        brought(endpoint, tmp_path, wanted("2025-01-01/"))
    endpoint.revive()
    endpoint.sleep(86_400 * 3)
    found = brought(endpoint, tmp_path, wanted("2025-01-01/"))
    last = found.files[-1].window
    assert last is not None
    assert START + timedelta(days=100) < last.end < START + timedelta(days=100, hours=1)
    assert len(endpoint.jobs) == 4


def test_another_request_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    endpoint = Filing()
    endpoint.kill("file", 2, before=True)
    with pytest.raises(Killed):
        brought(endpoint, tmp_path)
    endpoint.revive()
    for what, difference in [
        (wanted("2025-01-01/2025-06-30"), "period"),
        (wanted(request={"fields": ["id"], "filter": {}}), "request"),
        (wanted(window_days=7), "windowDays"),
    ]:
        with pytest.raises(OutputError, match=f"another {difference}: remove the folder"):
            brought(endpoint, tmp_path, what)


def test_two_runs_in_one_folder_exclude_each_other(tmp_path: Path) -> None:
    with (
        Filing().session() as session,
        Extract(session, wanted(), tmp_path / "parts"),
        pytest.raises(OutputTakenError),
        Extract(session, wanted(), tmp_path / "parts"),
    ):
        pass


def test_a_file_that_was_changed_or_lost_is_brought_again_from_its_job(tmp_path: Path) -> None:
    endpoint = Filing()
    with endpoint.session() as session:
        arguments: dict[str, Any] = {"period": PERIOD, "folder": tmp_path / "files"}
        files = extract_files(session, "leads", REQUEST, **arguments)
        first, second, third = (next(files) for _ in range(3))
        files.close()
        first.path.unlink()
        second.path.write_bytes(b"id\n1\n")
        again = list(extract_files(session, "leads", REQUEST, **arguments))
    assert [file.is_new for file in again[:3]] == [True, True, False]
    assert again[2].path == third.path
    assert sum(job.state == "Completed" for job in endpoint.jobs) == WINDOWS


def test_a_job_that_is_of_no_use_any_more_is_made_again(tmp_path: Path) -> None:
    endpoint = Filing()
    endpoint.kill("file", 1, before=True)
    with pytest.raises(Killed):
        brought(endpoint, tmp_path)
    endpoint.revive()
    taken_up = [job for job in endpoint.jobs if job.state != "Created"]
    endpoint.expired.add(taken_up[0].id)
    for job in taken_up[1:]:
        job.state = "Cancelled"
    brought(endpoint, tmp_path)
    assert (tmp_path / "out.csv").read_bytes() == one_job(endpoint)


class Recorded(ExtractWatch):
    """What an extract tells."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def begun(self, windows: Sequence[Window | None], files: Sequence[ExtractedFile]) -> None:
        self.told.append(f"{len(files)} of {len(windows)}")

    def arrived(self, file: ExtractedFile) -> None:  # noqa: ARG002 - the base class has it
        self.told.append("arrived")


def test_a_spent_quota_ends_the_run_and_the_next_day_it_goes_on(tmp_path: Path) -> None:
    endpoint = Filing()
    size = len(one_job(endpoint))
    with pytest.raises(QuotaSpentError) as caught:
        brought(endpoint, tmp_path, daily_bytes=size // 2)
    assert "1029" not in endpoint.codes()
    assert [job.state for job in endpoint.jobs] == ["Completed"] * len(endpoint.jobs)
    made = len(endpoint.jobs)
    assert made + len(caught.value.left) == WINDOWS
    endpoint.sleep(86_400)
    watch = Recorded()
    brought(endpoint, tmp_path, daily_bytes=size, watch=watch)
    assert watch.told == [f"{made} of {WINDOWS}", *["arrived"] * (WINDOWS - made)]
    assert (tmp_path / "out.csv").read_bytes() == one_job(endpoint)


def test_with_wait_it_goes_on_by_itself(tmp_path: Path) -> None:
    endpoint = Filing()
    brought(endpoint, tmp_path, daily_bytes=len(one_job(endpoint)) // 2, wait=True)
    assert (tmp_path / "out.csv").read_bytes() == one_job(endpoint)
    assert endpoint.passed > 86_400


def test_the_window_of_a_failed_job_is_named_and_the_others_stay(tmp_path: Path) -> None:
    endpoint = Filing()

    def fail_third(name: str, nth: int) -> None:
        if (name, nth) == ("create", 3):
            endpoint.jobs[-1].request["ends"] = "Failed"

    endpoint.after = fail_third
    with pytest.raises(WindowsFailedError, match=r"1 of 6; leads 2025-03-04T00:00:00Z/.* Failed"):
        brought(endpoint, tmp_path)
    endpoint.revive()
    brought(endpoint, tmp_path)
    assert (tmp_path / "out.csv").read_bytes() == one_job(endpoint)
    assert len(endpoint.jobs) == WINDOWS + 1


def test_a_request_that_is_refused_is_refused_once_and_leaves_nothing(tmp_path: Path) -> None:
    endpoint = Filing()

    def refused(*_arguments: Any) -> Any:
        raise ProtocolError("1006", "no such field")

    endpoint._new = refused  # type: ignore[method-assign, assignment]
    with pytest.raises(ProtocolError, match="1006"):
        brought(endpoint, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_extract_without_a_period_is_one_job(tmp_path: Path) -> None:
    endpoint = Filing()
    request = {"fields": ["id"], "filter": {"staticListId": 1}}
    with endpoint.session() as session:
        (file,) = extract_files(session, "leads", request, folder=tmp_path / "files")
    assert file.window is None
    assert endpoint.jobs[0].request["filter"] == {"staticListId": 1}
