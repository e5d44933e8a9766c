"""`outhaul load set`: a named set of records, to develop and to test with."""

from inspect import Parameter
from typing import Annotated

import typer

from outhaul.accounts.services import DEFAULT_SUBSCRIPTION
from outhaul.catalog.store import Catalog
from outhaul.cli.console import Json, named_errors, print_json, print_message
from outhaul.cli.options import Command, parameter, takes, variable_of, with_parameters
from outhaul.cli.store import Subscription, open_database
from outhaul.clock import now
from outhaul.lake.failures import LakeError
from outhaul.lake.snapshot import location_of_lakes, open_lake
from outhaul.sample.sets import SETS, SetError, load_set, set_named
from outhaul.settings import LocationMissingError, Settings


def command() -> Command:
    """Return the command. Its options are the parameters of all sets."""

    def load(
        name: str, subscription: str, settings: Settings, *, json: bool, **given: int | None
    ) -> None:
        values = {each: value for each, value in given.items() if value is not None}
        with named_errors(SetError, LakeError, LocationMissingError):
            set_named(name).values(values)  # before a data folder is made
            location_of_lakes(settings)
            with open_database(settings, subscription) as database:
                lake = open_lake(settings, subscription, database)
                counts = load_set(
                    name, lake, Catalog(database, subscription), now(), _tell, **values
                )
        if json:
            print_json({"set": name, "records": counts})
            return
        loaded = ", ".join(f"{count:,} {what}" for what, count in counts.items())
        print_message(f"{name}: {loaded or 'no records'}")

    load.__doc__ = """Load a named set of records, to develop and to test with.

    Example: `outhaul load set small --data ./data`
    """
    return takes("data", "database_url", "lake_url")(with_parameters(load, _parameters()))


def _tell(what: str, share: float) -> None:
    if share == 0:
        print_message(f"loading {what}", style="dim")


def _parameters() -> list[Parameter]:
    sets = f"Name of the set: {', '.join(SETS)}."
    found = [parameter("name", Annotated[str, typer.Argument(help=sets)])]
    for each in SETS.values():
        for name, declared in each.parameters.items():
            made = typer.Option(
                f"--{name}",
                envvar=variable_of(f"--{name}"),
                min=declared.least,
                help=f"Of {each.name}, by default {declared.default}. {declared.help}",
            )
            found.append(parameter(name, Annotated[int | None, made], default=None))
    return [
        *found,
        parameter("subscription", Subscription, DEFAULT_SUBSCRIPTION),
        parameter("settings", Settings),
        parameter("json", Json, default=False),
    ]
