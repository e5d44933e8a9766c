"""The command `tap-marketo` but for where it calls: it knows no hosts but those of live instances.

It runs in the virtual environment of the tap, as a process of its own. `TAP_MARKETO_URL` is the
address of the server.
"""

import os

import tap_marketo
from tap_marketo.client import Client


def _get_url(_: Client, path: str) -> str:
    return f"{os.environ['TAP_MARKETO_URL']}/{path}"


Client.get_url = _get_url
tap_marketo.main()
