"""`outhaul mirror` and `outhaul mirror status`."""

from datetime import timedelta
from typing import Any

import typer
from typer.core import TyperGroup

from outhaul.accounts.services import DEFAULT_SUBSCRIPTION
from outhaul.catalog.store import Catalog
from outhaul.cli.console import Json, named_errors, print_json
from outhaul.cli.extract.options import ClientId, ClientSecret, PollInterval, Url
from outhaul.cli.mirror import options as given
from outhaul.cli.mirror.running import Place, mirror_until_stopped
from outhaul.cli.mirror.status import show_report, to_json
from outhaul.cli.options import takes
from outhaul.cli.store import Subscription, open_database, prepare_lake
from outhaul.client import Pace, Session
from outhaul.clock import now
from outhaul.lake.snapshot import open_lake
from outhaul.mirror.options import FIRST_MOMENT, Options
from outhaul.mirror.report import report
from outhaul.mirror.state import NoMirrorError, State
from outhaul.settings import Settings

_RUN = "run"


class _Mirror(TyperGroup):
    """Runs the mirror if no other command is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - Typer's own type
        named = bool(args) and not args[0].startswith("-")
        return super().parse_args(ctx, args if named else [_RUN, *args])


app = typer.Typer(
    help="Keep a copy of a live instance, or of any endpoint, that `outhaul serve` serves again.",
    cls=_Mirror,
    rich_markup_mode=None,
    add_completion=False,
)


@app.command(_RUN)
@takes("data", "database_url", "lake_url")
def mirror(  # noqa: PLR0913 - an argument for each option
    *,
    url: Url,
    client_id: ClientId,
    client_secret: ClientSecret,
    every: given.Every = None,
    wait: given.Wait = False,
    since: given.Since = FIRST_MOMENT,
    daily_quota: given.DailyQuota = given.TOLD,  # type: ignore[assignment]
    overlap: given.Overlap = "2h",  # type: ignore[assignment]
    again: given.Again = None,
    snapshots_every: given.SnapshotsEvery = "7d",  # type: ignore[assignment]
    jobs: given.Jobs = 10,
    window_days: given.WindowDays = None,
    poll_seconds: PollInterval = "5s",  # type: ignore[assignment]
    subscription: Subscription = DEFAULT_SUBSCRIPTION,
    settings: Settings,
    json: Json = False,
) -> None:
    """Bring a copy of an endpoint's records in step with it: `outhaul mirror` is enough.

    It has the catalog, leads, activities, deletions, merges, members of lists and programs, and
    custom objects. What an endpoint forgets first is read first, then the newest. A run that is
    ended goes on with the same command.

    `outhaul mirror status` shows what is there, and what is missing until when.

    Example: `outhaul mirror --url https://123-ABC-456.mktorest.com --data ./data --wait`
    """
    try:
        Session(url, client_id, client_secret).close()
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--url") from None
    if since > now():
        raise typer.BadParameter("it is in the future", param_hint="--since")
    options = Options(
        since=since,
        overlap=timedelta(seconds=overlap),
        again=again,
        snapshots_every=timedelta(seconds=snapshots_every),
        at_once=jobs,
        window_days=window_days,
        daily_bytes=daily_quota.bytes,
        is_quota_told=daily_quota.is_told,
        wait=wait,
        pace=Pace(poll_seconds=poll_seconds),
    )
    place = Place(settings=settings, subscription=subscription)
    mirror_until_stopped(place, (url, client_id, client_secret), options, every, as_json=json)


@app.command()
@takes("data", "database_url", "lake_url")
def status(
    *,
    months: given.Months = 6,
    subscription: Subscription = DEFAULT_SUBSCRIPTION,
    settings: Settings,
    json: Json = False,
) -> None:
    """Show what is complete, what is open and until when it can be had, and the last runs.

    Example: `outhaul mirror status --data ./data`
    """
    prepare_lake(settings)
    with open_database(settings, subscription) as database, named_errors(NoMirrorError):
        lake = open_lake(settings, subscription, database)
        moment = now().replace(microsecond=0)
        found = report(State(database, subscription), lake, Catalog(database, subscription), moment)
    if json:
        print_json(to_json(found, moment, months))
    else:
        show_report(found, moment, months)
