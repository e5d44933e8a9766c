"""Parts of files in a folder store, and what of them is on the disk."""

import os
from pathlib import Path

from outhaul.protocol.dialects import MEDIA_TYPE
from outhaul.storage.folder import FolderStore


def put(files: FolderStore, key: str, content: bytes = b"content") -> None:
    with files.writer(key, media_type=MEDIA_TYPE) as target:
        target.write(content)


def left(folder: Path) -> list[str]:
    """Every file that is on the disk, under whatever name."""
    return sorted(
        str(Path(where).relative_to(folder) / name)
        for where, _, names in os.walk(folder)
        for name in names
    )
