"""outhaul: a self-hosted bulk extract service, and a client for any such service."""

__version__ = "0.1.0"
