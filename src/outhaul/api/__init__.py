"""The routes: HTTP in, JSON envelopes and bytes out."""

from outhaul.api.app import create_app

__all__ = ["create_app"]
