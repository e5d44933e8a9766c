"""Which store the settings name."""

from outhaul.settings import Settings
from outhaul.storage.bucket import BucketStore
from outhaul.storage.folder import FolderStore
from outhaul.storage.store import FileStore


def open_files(settings: Settings) -> FileStore:
    """Return the store of export files: a bucket if one is set, else a folder of the data."""
    if settings.files_url is None:
        return FolderStore(settings.files_folder)
    return BucketStore(settings.files_url, settings.s3)
