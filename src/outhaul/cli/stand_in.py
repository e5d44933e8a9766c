"""`outhaul stand-in`: an instance to develop and test against."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.text import Text

from outhaul.accounts.services import DEFAULT_SUBSCRIPTION, Credentials, create_service
from outhaul.accounts.subscriptions import (
    SubscriptionNameError,
    create_subscription,
    subscriptions,
)
from outhaul.cli.console import Json, errors, named_errors, print_json
from outhaul.cli.environment import write_environment
from outhaul.cli.options import make_settings, option
from outhaul.cli.store import open_database
from outhaul.clock import now
from outhaul.database.engine import Database
from outhaul.sample.loading import is_loaded, load_sample
from outhaul.server import PortTakenError
from outhaul.stand_in.control.subscriptions import DEFAULT_EMAIL, DEFAULT_SERVICE, permissions
from outhaul.stand_in.journal import Entry
from outhaul.stand_in.running import serve_stand_in

app = typer.Typer(rich_markup_mode=None, add_completion=False)

ENVIRONMENT = "stand-in.env"
CONTROL_TOKEN = "OUTHAUL_CONTROL_TOKEN"  # noqa: S105 - the name of a variable
"""A variable, and no option: other users can read a command line."""

_ERRORS = 400


@app.command("stand-in")
def stand_in(
    data: Annotated[
        Path | None,
        option(
            "data",
            text="Folder for database, lake and export files. Default: a temporary folder, "
            "deleted at the end.",
        ),
    ] = None,
    port: Annotated[int, option("port")] = 0,
    subscription: Annotated[
        str,
        typer.Option(
            envvar="OUTHAUL_SUBSCRIPTION",
            help="Subscription of the credentials that are shown. It is created if it is new.",
        ),
    ] = DEFAULT_SUBSCRIPTION,
    sample: Annotated[
        bool,
        typer.Option(
            "--sample",
            envvar="OUTHAUL_SAMPLE",
            help="Load the sample into the subscription named default.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Run an instance to develop and test against, and show the calls that it gets.

    The API, the control API and export jobs run in this process, until it is stopped. URL,
    credentials and the control token are shown, and written as variables for shells to the file
    stand-in.env in the data folder.

    Example: `outhaul stand-in --port 8750`
    """
    with TemporaryDirectory(prefix="outhaul-stand-in-") as temporary:
        folder = data or Path(temporary)
        settings = make_settings(os.environ, data=folder, port=port)
        with open_database(settings) as database, named_errors(SubscriptionNameError):
            credentials = _prepare(database, subscription)
            if sample and not is_loaded(settings, database):
                errors.print("loading the sample …")
                load_sample(database, settings, now(), lambda _what, _share: None)
        token = os.environ.get(CONTROL_TOKEN) or secrets.token_urlsafe(24)
        ready = _announce(folder, subscription, credentials, token, as_json=json)
        with named_errors(PortTakenError):
            serve_stand_in(settings, token, ready, show_call)


def show_call(entry: Entry) -> None:
    """Print a call on one line: when, what, how it was answered, who made it, and its job."""
    errors.print(line(entry))


def line(entry: Entry) -> Text:
    """Return the line of a call."""
    call = entry.call
    failed = entry.code is not None or entry.status is None or entry.status >= _ERRORS
    return Text.assemble(
        (f"{call.at.astimezone():%H:%M:%S} ", "dim"),
        (f"{_plain(call.method):<4} ", "bold"),
        f"{_plain(call.path)} ",
        (str(entry.status or "no answer"), "red" if failed else "green"),
        (f" {_plain(entry.code)}" if entry.code else "", "red"),
        (f" {_plain(call.who.email)}" if call.who else " -", "cyan"),
        (f" job {_plain(entry.job)}" if entry.job else "", "magenta"),
        (f" {entry.milliseconds:.0f} ms", "dim"),
    )


def _plain(text: str) -> str:
    """Return a text that a client sent without what a terminal would obey."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def _prepare(database: Database, subscription: str) -> Credentials:
    if subscription not in {each.name for each in subscriptions(database)}:
        create_subscription(database, subscription, now())
    return create_service(
        database,
        DEFAULT_SERVICE,
        email=DEFAULT_EMAIL,
        permissions=permissions(),
        moment=now(),
        subscription_name=subscription,
    )


def _announce(
    folder: Path, subscription: str, credentials: Credentials, token: str, *, as_json: bool
) -> Callable[[str], None]:
    """Return what tells the user how to reach the stand-in, once it is ready."""

    def ready(url: str) -> None:
        control = f"{url}/_outhaul"
        environment = folder / ENVIRONMENT
        write_environment(
            environment,
            {
                "URL": url,
                "CLIENT_ID": credentials.client_id,
                "CLIENT_SECRET": credentials.client_secret,
                "CONTROL_URL": control,
                "CONTROL_TOKEN": token,
            },
        )
        if as_json:
            print_json(
                {
                    "url": url,
                    "subscription": subscription,
                    "clientId": credentials.client_id,
                    "clientSecret": credentials.client_secret,
                    "controlUrl": control,
                    "controlToken": token,
                    "environment": str(environment),
                }
            )
            return
        errors.print(f"the stand-in serves {url}; Ctrl-C ends it")
        for name, value in [
            ("client id", credentials.client_id),
            ("client secret", credentials.client_secret),
            ("control API", control),
            ("control token", token),
            ("for a shell", f". {environment}"),
        ]:
            errors.print(f"  {name:<14} {value}", markup=False)
        errors.print("calls:", style="bold")

    return ready
