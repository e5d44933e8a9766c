"""The report of coverage, as tables with a calendar and as JSON."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from outhaul.cli.mirror.calendar import legend, month_rows
from outhaul.mirror.report import Report, StreamReport
from outhaul.mirror.state import PastRun
from outhaul.protocol.instants import render_instant
from outhaul.protocol.windows import Window

_GAPS_SHOWN = 3


def show_report(report: Report, moment: datetime, months: int) -> None:
    """Print the report on standard output."""
    console = Console(highlight=False, emoji=False)
    console.print(f"mirror of {report.url}, since {report.since.date()}", markup=False)
    state = "everything up to then is here" if report.is_complete else "some of it is missing"
    console.print(f"read up to {render_instant(report.until)}: {state}")
    console.print(_streams(report, moment))
    console.print(_tables(report))
    for job in report.left:
        console.print(f"job {job} was left at the endpoint; the next run takes it up", markup=False)
    for stream in report.streams:
        rows = list(month_rows(stream, report, moment, months))
        if rows:
            console.print(f"\n{stream.name}", style="bold", markup=False)
        for row in rows:
            console.print(row)
    if months:
        console.print(legend())
    console.print(_runs(report.runs))


def to_json(report: Report, moment: datetime, months: int) -> dict[str, Any]:
    """Return the report as JSON. The days are those of the latest months."""
    return {
        "url": report.url,
        "since": render_instant(report.since),
        "until": render_instant(report.until),
        "complete": report.is_complete,
        "streams": [_stream(stream, report, moment, months) for stream in report.streams],
        "snapshots": [
            {
                "name": each.name,
                "read": each.read,
                "oldest": each.oldest and render_instant(each.oldest),
            }
            for each in report.snapshots
        ],
        "tables": [
            {
                "name": each.name,
                "announced": each.announced,
                "loaded": each.loaded,
                "leftOut": each.left_out,
                "here": each.here,
            }
            for each in report.tables
        ],
        "left": [*report.left],
        "runs": [_run(run) for run in report.runs],
    }


def _stream(stream: StreamReport, report: Report, moment: datetime, months: int) -> dict[str, Any]:
    first = max(report.since.date(), moment.date() - timedelta(days=31 * months))
    days = (first + timedelta(days=n) for n in range((moment.date() - first).days + 1))
    states = ((day, stream.day(day, moment, report.since)) for day in days)
    return {
        "name": stream.name,
        "missing": [str(window) for window in stream.missing],
        "perishesAt": stream.perishes_at and render_instant(stream.perishes_at),
        "perishedDays": stream.perished,
        "days": {day.isoformat(): state.value for day, state in states if state is not None},
    }


def _run(run: PastRun) -> dict[str, Any]:
    return {
        "begunAt": render_instant(run.begun_at),
        "endedAt": run.ended_at and render_instant(run.ended_at),
        "outcome": run.outcome,
        **run.summary,
    }


def _streams(report: Report, moment: datetime) -> Table:
    table = _table("stream", "complete", "missing", "can be had until")
    for stream in report.streams:
        table.add_row(
            stream.name,
            _complete(stream),
            _gaps(stream.missing),
            _until(stream, moment),
        )
    for each in report.snapshots:
        oldest = "" if each.oldest is None else f", the oldest {render_instant(each.oldest)}"
        table.add_row(each.name, f"{each.read} read{oldest}", "", "")
    return table


def _complete(stream: StreamReport) -> str:
    if not stream.coverage.windows:
        return "nothing"
    first, last = stream.coverage.windows[0], stream.coverage.windows[-1]
    return f"{first.start.date()} to {render_instant(last.end)}"


def _gaps(missing: Sequence[Window]) -> str:
    shown = [f"{window.start.date()} to {window.end.date()}" for window in missing[-_GAPS_SHOWN:]]
    more = len(missing) - len(shown)
    return "\n".join([*reversed(shown), *([f"and {more} more"] if more else [])]) or "nothing"


def _until(stream: StreamReport, moment: datetime) -> str:
    lost = f"{stream.perished} days are gone" if stream.perished else ""
    if stream.perishes_at is None:
        return lost
    left = stream.perishes_at - moment
    soon = f"{render_instant(stream.perishes_at)} (in {max(left.days, 0)} days)"
    return "\n".join(filter(None, [soon, lost]))


def _tables(report: Report) -> Table:
    table = _table("table", "announced", "read", "left out", "here")
    for each in report.tables:
        counts = (each.announced, each.loaded, each.left_out, each.here)
        table.add_row(each.name, *(f"{count:,}" for count in counts))
    return table


def _runs(runs: Sequence[PastRun]) -> Table:
    table = _table("run", "took", "outcome", "records", "errors")
    for run in runs:
        streams = run.summary.get("streams", {})
        records = sum(each["records"] for each in streams.values())
        took = "" if run.ended_at is None else str(run.ended_at - run.begun_at).partition(".")[0]
        errors = run.summary.get("errors", [])
        table.add_row(
            render_instant(run.begun_at),
            took,
            run.outcome or "did not end",
            f"{records:,}",
            "\n".join(errors[:3]),
        )
    return table


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in names:
        table.add_column(name)
    return table
