"""The command `outhaul`."""

import sys

import typer

from outhaul import __version__
from outhaul.cli import demo, extract, load, serve, service
from outhaul.cli.console import errors, set_up_logging

app = typer.Typer(
    name="outhaul",
    help="A bulk extract service over records that you own, and a client for any that there is.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command("serve")(serve.serve)
app.command("worker")(serve.worker)
app.add_typer(service.app, name="service")
app.add_typer(load.app, name="load")
app.add_typer(extract.app, name="extract")
app.command("demo")(demo.demo)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"outhaul {__version__}")
        raise typer.Exit


@app.callback()
def _outhaul(
    version: bool = typer.Option(  # noqa: ARG001 - its callback does it
        False, "--version", help="Show the version and exit.", callback=_show_version, is_eager=True
    ),
) -> None:
    set_up_logging()


def main() -> None:
    """Run the command; exit with 0 only where all of it worked."""
    try:
        app()
    except KeyboardInterrupt:
        errors.print("stopped")
        sys.exit(130)
