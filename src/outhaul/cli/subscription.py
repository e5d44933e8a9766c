"""`outhaul subscription`."""

from typing import Annotated, Any

import typer

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
from outhaul.cli.options import takes
from outhaul.cli.store import open_database
from outhaul.clock import now
from outhaul.limits import Limits
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
    current = settings.limits_of(found.limit_overrides, now())
    _show(name, current, set(found.limit_overrides), as_json=json)


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
