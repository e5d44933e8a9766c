"""Which store the settings name."""

from outhaul.files.bucket import BucketStore
from outhaul.files.folder import FolderStore
from outhaul.files.store import FileStore
from outhaul.settings import Settings


def open_files(settings: Settings) -> FileStore:
    """Return the store of export files: a bucket if one is set, else a folder of the data."""
    if settings.files_url is None:
        return FolderStore(settings.files_folder)
    return BucketStore(settings.files_url, settings.s3)
