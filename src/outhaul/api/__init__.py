"""The HTTP API: the ASGI application and its calls."""

from outhaul.api.app import create_app

__all__ = ["create_app"]
