"""Running a mirror from the command line: once, or again and again."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

import typer
from sqlalchemy.exc import SQLAlchemyError

from outhaul.catalog.store import Catalog
from outhaul.cli.console import fail, named_errors, print_error, print_json, print_message
from outhaul.cli.extract.interrupts import Interrupted, raised_signals
from outhaul.cli.mirror.progress import Shown
from outhaul.cli.store import lake_named, open_database, prepare_lake
from outhaul.client import ClientError, CredentialsError, Session
from outhaul.clock import now
from outhaul.database.engine import Database, reason
from outhaul.lake.commits import TableChangedError
from outhaul.lake.failures import LakeError
from outhaul.lake.snapshot import Lake, open_lake
from outhaul.mirror.engine import Mirror
from outhaul.mirror.lock import MirrorRunsError, only_run
from outhaul.mirror.options import Options
from outhaul.mirror.state import OtherEndpointError, State
from outhaul.mirror.watch import Summary
from outhaul.protocol.texts import one_line
from outhaul.settings import Settings

QUOTA_STATUS = 75
"""The exit status if the day's quota has ended a run: the next run goes on (EX_TEMPFAIL)."""

_LONGEST_PROBLEM = 500
_FIRST_PAUSE, _LONGEST_PAUSE = 60.0, 3600.0
_PASSING = (ClientError, LakeError, TableChangedError, SQLAlchemyError, OSError)
"""Errors that may pass: with `--every`, the mirror goes on after a pause."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a mirror is."""

    settings: Settings
    subscription: str


def mirror_until_stopped(
    place: Place,
    endpoint: tuple[str, str, str],
    options: Options,
    every: float | None,
    *,
    as_json: bool,
) -> None:
    """Run a mirror once, or again and again with `every` in seconds. Ends the command.

    `endpoint` has the address, the client id and the secret.
    """
    prepare_lake(place.settings)
    with (
        _ends(place),
        open_database(place.settings, place.subscription) as database,
        named_errors(MirrorRunsError, OtherEndpointError),
    ):
        lake = open_lake(place.settings, place.subscription, database)
        with only_run(lake, database, place.subscription):
            failures = 0
            while True:
                try:
                    summary = _run(endpoint, options, lake, database, place.subscription)
                except _PASSING as error:
                    if every is None or isinstance(error, CredentialsError):
                        raise
                    failures += 1
                    pause = pause_after(failures)
                    print_error(f"{_words(place, error)}; trying again in {pause:.0f} s")
                else:
                    _show(summary, as_json=as_json)
                    if every is None:
                        raise typer.Exit(_status(summary))
                    failures = failures + 1 if summary.outcome == "errors" else 0
                    pause = pause_after(failures) if failures else every
                time.sleep(pause)


def pause_after(failures: int) -> float:
    """Return the pause in seconds after this many runs with errors: a minute, two, four … 1 h."""
    return min(_FIRST_PAUSE * 2.0 ** min(failures - 1, 16), _LONGEST_PAUSE)


def _run(
    endpoint: tuple[str, str, str],
    options: Options,
    lake: Lake,
    database: Database,
    subscription: str,
) -> Summary:
    with Shown() as watch, Session(*endpoint, notice=watch.notice) as session:
        mirror = Mirror(
            session=session,
            lake=lake,
            catalog=Catalog(database, subscription),
            state=State(database, subscription),
            options=options,
            watch=watch,
            clock=now,
        )
        return mirror.run()


@contextlib.contextmanager
def _ends(place: Place) -> Iterator[None]:
    """End the command with a message and a status, whatever ends the run."""
    try:
        with raised_signals():
            yield
    except Interrupted as interrupt:
        left = "; ".join(getattr(interrupt, "__notes__", ()))
        print_error(f"stopped by {interrupt}{f'; {left}' if left else ''}")
        raise typer.Exit(interrupt.exit_status) from None
    except _PASSING as error:
        left = "; ".join(getattr(error, "__notes__", ()))
        fail(f"{_words(place, error)}{f'; {left}' if left else ''}")


def _words(place: Place, error: Exception) -> str:
    if isinstance(error, LakeError):
        return f"{lake_named(place.settings)}: {error}"
    if isinstance(error, SQLAlchemyError):
        return f"the database does not answer, see --database-url: {reason(error)}"
    return one_line(str(error), _LONGEST_PROBLEM)


def _status(summary: Summary) -> int:
    if summary.outcome == "quota":
        return QUOTA_STATUS
    return 0 if summary.outcome == "complete" else 1


def _show(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        print_json(summary.to_json())
        return
    for stream, counts in summary.loads.items():
        did = f"{counts.records:,} records: {counts.added:,} added, {counts.changed:,} changed"
        skipped = f", {counts.deleted:,} of deleted leads left out" if counts.deleted else ""
        print_message(f"{stream}: {did}, {counts.unchanged:,} unchanged{skipped}")
    for problem in summary.errors:
        print_error(problem)
    for line in summary.left:
        print_message(line)
    if summary.outcome == "complete":
        print_message("everything is there")
    elif summary.until is not None:
        when = f"; everything will be there by {summary.all_there}" if summary.all_there else ""
        print_message(f"the day's quota is spent until {summary.until}{when}; run it again then")
