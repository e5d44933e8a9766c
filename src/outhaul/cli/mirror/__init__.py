"""`outhaul mirror`: keeping a lake in step with an endpoint."""

from outhaul.cli.mirror.commands import app

__all__ = ["app"]
