"""Files of variables for shells, which read them with `. FILE`."""

import shlex
from collections.abc import Mapping
from pathlib import Path


def write_environment(path: Path, variables: Mapping[str, str]) -> None:
    """Write a file that only its owner can read, as it may have secrets.

    Values are quoted: a shell takes each as it is, whatever characters it has.
    """
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={shlex.quote(of)}\n" for name, of in variables.items()))
