"""`outhaul subscription`."""

from datetime import datetime
from typing import Annotated, Any

import typer

from outhaul.accounts.clocks import (
    ClockError,
    advance_clock,
    clock_of,
    reset_clock,
    set_clock,
)
from outhaul.accounts.services import SubscriptionUnknownError
from outhaul.accounts.subscriptions import (
    LimitError,
    SubscriptionNameError,
    create_subscription,
    override_limits,
    subscription_named,
    subscriptions,
)
from outhaul.cli.console import Json, fail, named_errors, print_json
from outhaul.cli.durations import parse_duration
from outhaul.cli.options import takes
from outhaul.cli.store import open_database
from outhaul.clock import now
from outhaul.limits import Limits
from outhaul.protocol.instants import parse_instant, render_instant
from outhaul.settings import Settings

app = typer.Typer(
    help="Subscriptions: tenants, each with its own users, limits, catalog and records.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(help="Name of the subscription: a-z, 0-9 and -.")]


@app.command()
@takes("data", "database_url")
def create(name: Name, *, settings: Settings, json: Json = False) -> None:
    """Create a subscription. Other commands use it with `--subscription NAME`.

    Example: `outhaul subscription create emea --data ./data`
    """
    with open_database(settings) as database, named_errors(SubscriptionNameError):
        made = create_subscription(database, name, now())
    if json:
        print_json({"name": made.name})
    else:
        typer.echo(made.name)


@app.command("list")
@takes("data", "database_url")
def list_all(*, settings: Settings, json: Json = False) -> None:
    """List the subscriptions.

    Example: `outhaul subscription list --data ./data`
    """
    with open_database(settings) as database:
        found = subscriptions(database)
    if json:
        print_json(
            {
                "subscriptions": [
                    {
                        "name": each.name,
                        "createdAt": f"{each.created_at:%Y-%m-%dT%H:%M:%SZ}",
                        "overrides": each.limit_overrides,
                    }
                    for each in found
                ]
            }
        )
        return
    for each in found:
        typer.echo(each.name)


@app.command()
@takes("data", "limits", "database_url")
def limits(
    name: Name,
    *,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            envvar="OUTHAUL_SET",
            metavar="NAME=VALUE",
            help="Override a limit of the subscription; the value none means no limit; "
            "may be repeated.",
        ),
    ] = None,
    unset: Annotated[
        list[str] | None,
        typer.Option(
            envvar="OUTHAUL_UNSET",
            metavar="NAME",
            help="Remove the override of a limit; may be repeated.",
        ),
    ] = None,
    settings: Settings,
    json: Json = False,
) -> None:
    """Show the limits of a subscription; with --set and --unset, change its own limits first.

    The other limits are those of the settings in this environment. A running server applies a
    change with the next call.

    Example: `outhaul subscription limits emea --data ./data --set calls_per_day=10000`
    """
    given = dict(_pair(text) for text in set_ or ())
    with open_database(settings) as database, named_errors(SubscriptionUnknownError, LimitError):
        if given or unset:
            found = override_limits(database, name, given, unset or ())
        else:
            found = subscription_named(database, name)
    current = settings.limits_of(found.limit_overrides, found.clock.at(now()))
    _show(name, current, set(found.limit_overrides), as_json=json)


@app.command()
@takes("data", "database_url")
def clock(  # noqa: PLR0913 - each is an option of the command
    name: Name,
    *,
    set_: Annotated[
        str | None,
        typer.Option(
            "--set",
            envvar="OUTHAUL_SET",
            metavar="MOMENT",
            help="Set the clock to a moment, such as 2026-03-08T07:59:00Z; it runs from there, "
            "or stands still with --freeze.",
        ),
    ] = None,
    freeze: Annotated[
        bool | None,
        typer.Option(
            "--freeze/--run",
            envvar="OUTHAUL_FREEZE",
            help="Let the clock stand still, or run on from the moment that it shows.",
        ),
    ] = None,
    advance: Annotated[
        str | None,
        typer.Option(
            envvar="OUTHAUL_ADVANCE",
            metavar="DURATION",
            help="Set the clock forward by a duration, such as 90s, 30m, 2h or 28d; a frozen clock "
            "stays frozen.",
        ),
    ] = None,
    real: Annotated[
        bool, typer.Option("--real", envvar="OUTHAUL_REAL", help="Use real time again.")
    ] = False,
    settings: Settings,
    json: Json = False,
) -> None:
    """Show the clock of a subscription, or set, freeze or advance it, to test what time changes.

    All times and periods of the subscription follow its clock: access tokens, quota days, the ages
    of files, jobs and activities. Running servers and workers follow at once.

    Example: `outhaul subscription clock emea --data ./data --advance 28d`
    """
    if sum((set_ is not None or freeze is not None, advance is not None, real)) > 1:
        fail("--advance and --real each stand alone: give one of them, or --set and --freeze")
    moment = None if set_ is None else _moment(set_)
    seconds = None if advance is None else _seconds(advance)
    at = now()
    with open_database(settings) as database, named_errors(SubscriptionUnknownError):
        try:
            if real:
                found = reset_clock(database, name)
            elif seconds is not None:
                found = advance_clock(database, name, seconds, real=at)
            elif moment is not None or freeze is not None:
                found = set_clock(database, name, moment, frozen=bool(freeze), real=at)
            else:
                found = clock_of(database, name)
        except ClockError as error:
            fail(f"{'--set' if advance is None else '--advance'}: {error}")
    shown = render_instant(found.at(at))
    state = "real" if found.is_real else "frozen" if found.is_frozen else "running"
    if json:
        print_json({"name": name, "moment": shown, "clock": state})
    else:
        typer.echo(f"{shown}  {state}")


def _moment(text: str) -> datetime:
    try:
        return parse_instant(text)
    except ValueError as error:
        fail(f"--set: {error}")


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        fail(f"--advance: {error}")


def _show(name: str, limits: Limits, own: set[str], *, as_json: bool) -> None:
    values: dict[str, Any] = limits.model_dump()
    if as_json:
        overrides = {limit: value for limit, value in values.items() if limit in own}
        print_json({"name": name, "limits": values, "overrides": overrides})
        return
    width = max(map(len, values))
    for limit, value in values.items():
        text = "none" if value is None else str(value).lower()
        typer.echo(f"{limit:{width}}  {text}{'  (its own)' if limit in own else ''}")


def _pair(text: str) -> tuple[str, str]:
    limit, equals, value = text.partition("=")
    if not equals:
        fail(f"--set takes NAME=VALUE, such as calls_per_day=10000, not {text!r}")
    return limit.strip(), value.strip()
