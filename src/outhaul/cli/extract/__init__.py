"""`outhaul extract`: extracting records from any endpoint into a file."""

from outhaul.cli.extract.commands import app

__all__ = ["app"]
