"""`outhaul service`."""

from collections.abc import Collection
from typing import Annotated

import typer

from outhaul.accounts.services import (
    DEFAULT_SUBSCRIPTION,
    PERMISSIONS,
    PermissionUnknownError,
    create_service,
)
from outhaul.cli.console import Json, errors, named_errors, print_json
from outhaul.cli.options import takes
from outhaul.cli.store import Subscription, open_database
from outhaul.clock import now
from outhaul.kinds import KINDS
from outhaul.kinds.registry import KindError
from outhaul.settings import Settings

app = typer.Typer(
    help="Custom services: client ids and secrets for programs that call the API.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _service() -> None:
    """Make Typer treat `create` as a subcommand, though it is the only one."""


@app.command()
@takes("data", "database_url")
def create(  # noqa: PLR0913 - each is an option of the command
    name: Annotated[str, typer.Argument(help="Name of the custom service.")],
    *,
    user: Annotated[
        str,
        typer.Option(
            envvar="OUTHAUL_USER",
            help="E-mail address of the API user that owns the service; created if it is new.",
        ),
    ],
    permission: Annotated[
        list[str],
        typer.Option(
            envvar="OUTHAUL_PERMISSION",
            help='Permission of the API user, such as "Read-Only Lead" or "Read-Only Activity"; '
            "may be repeated.",
        ),
    ],
    subscription: Subscription = DEFAULT_SUBSCRIPTION,
    settings: Settings,
    json: Json = False,
) -> None:
    """Create a custom service, and show its client id and secret. They are not shown again.

    Example: `outhaul service create nightly --data ./data --user etl@example.com
    --permission "Read-Only Lead" --permission "Read-Only Activity"`
    """
    with (
        open_database(settings, subscription) as database,
        named_errors(KindError, PermissionUnknownError),
    ):
        made = create_service(
            database,
            name,
            email=user,
            permissions=permission,
            moment=now(),
            subscription_name=subscription,
            known=_known_permissions(),
        )
    if json:
        print_json({"clientId": made.client_id, "clientSecret": made.client_secret})
        return
    typer.echo(f"clientId      {made.client_id}")
    typer.echo(f"clientSecret  {made.client_secret}")
    errors.print("[dim]the secret cannot be shown again: note it down now[/]")


def _known_permissions() -> Collection[str]:
    """Return all permissions: the standard ones, and those that registered kinds declare."""
    of_kinds = (name for kind in KINDS.values() for name in sorted(kind.permissions))
    return dict.fromkeys([*PERMISSIONS, *of_kinds])
