"""Opening of the store of export files that the settings name."""

from outhaul.settings import Settings
from outhaul.storage.bucket import BucketStore
from outhaul.storage.folder import FolderStore
from outhaul.storage.location import Location
from outhaul.storage.store import FilesError, FileStore, SignsAddresses


def open_files(settings: Settings) -> FileStore:
    """Return the store of export files. Raises `OSError` if it cannot be opened."""
    location = location_of_files(settings)
    return BucketStore(location) if location.folder is None else FolderStore(location.folder)


def location_of_files(settings: Settings) -> Location:
    """Return the location of export files: the URL that is set, or a folder in the data folder."""
    if settings.files_url is None:
        return Location.of(settings.files_folder)
    return Location.at(settings.files_url, settings)


def check_files(settings: Settings) -> None:
    """Return if the store answers, and can sign addresses if it must. Raises `OSError`."""
    files = open_files(settings)
    files.check()
    if settings.files_redirect:
        if not isinstance(files, SignsAddresses):
            raise FilesError("it has no signed addresses, which --files-redirect needs")
        files.signed_url("none")
