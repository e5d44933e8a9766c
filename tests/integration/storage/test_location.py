"""What a location does with files of tables, whichever service has them."""

from pathlib import Path

import obstore
import pytest
from tests.support.azure import PATIENCE, Container
from tests.support.google import GoogleBucket
from tests.support.object_store import Bucket

from outhaul.settings import Settings
from outhaul.storage.location import WITNESS, Location

AnyBucket = Bucket | Container | GoogleBucket


def test_what_is_missing_already_does_not_keep_others_from_being_removed(
    every_bucket: AnyBucket,
) -> None:
    location = every_bucket.location
    for name in ("a", "b", "stays"):
        obstore.put(location.bucket(PATIENCE), f"table/{name}", b"content")
    location.delete(["table/a", "table/of-nobody", "table/b"])
    assert every_bucket.keys() == ["table/stays"]
    location.delete([])
    (location / "table").delete(["stays", "of-nobody"])
    assert every_bucket.keys() == []


def test_every_service_refuses_a_second_object_of_a_name(every_bucket: AnyBucket) -> None:
    for location in (every_bucket.location, every_bucket.location / "lake"):
        for _ in range(2):
            location.check_put_if_absent()
    assert every_bucket.keys() == [WITNESS, f"lake/{WITNESS}"]


def test_a_file_is_there_once_it_is_written(every_bucket: AnyBucket, tmp_path: Path) -> None:
    for location in (every_bucket.location, Location.of(tmp_path)):
        with location.writing("file") as path:
            path.write_bytes(b"content")
        location.check()
    assert every_bucket.keys() == ["file"]
    assert (tmp_path / "file").read_bytes() == b"content"


@pytest.mark.parametrize(("url", "path"), [("file:///srv/a%20b", "/srv/a b"), ("lake/", "lake")])
def test_a_folder_by_its_url(url: str, path: str) -> None:
    settings = Settings(data=Path("data"), lake_url=url)
    location = Location.at(str(settings.lake_url), settings)
    assert (location.folder, location.options) == (Path(path), {})
