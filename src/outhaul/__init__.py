"""outhaul: a self-hosted bulk extract service, and a client for any endpoint that is one."""

__version__ = "0.1.0"
