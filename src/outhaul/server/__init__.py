"""A running server: connections to clients, the API, and a worker process for export jobs."""

from outhaul.server.service import COMMAND, PortTakenError, serve

__all__ = ["COMMAND", "PortTakenError", "serve"]
