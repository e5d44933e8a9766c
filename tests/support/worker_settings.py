"""Runs a command of outhaul; a worker only writes its settings and arguments to a file, and ends.

What the command says on its way to them is the real thing: its arguments, its environment, its
options. The file is named by the variable `WORKER_SETTINGS`.
"""

import os
import pickle
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from outhaul.cli import main, worker
from outhaul.settings import Settings

FILE = "WORKER_SETTINGS"


class Recorder:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def run(self) -> None:
        Path(os.environ[FILE]).write_bytes(pickle.dumps((self._settings, sys.argv[1:])))

    def stop(self) -> None:
        pass


if __name__ == "__main__":
    # The databases, buckets and clusters that the settings name do not exist.
    stand_ins: dict[str, Any] = {
        "check_executor": lambda _: None,
        "prepare_locations": lambda _: None,
        "open_database": lambda _: nullcontext(),
        "Worker": Recorder,
    }
    for name, stand_in in stand_ins.items():
        assert hasattr(worker, name)
        setattr(worker, name, stand_in)
    main()
