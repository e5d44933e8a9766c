"""What Azure alone has: its variables, its secrets, its signed addresses, what its errors say."""

import base64
import hashlib
import hmac
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from pydantic import SecretStr
from tests.support.azure import ACCOUNT, KEY, VERSION, Container
from tests.support.object_store import wire_to

from outhaul.protocol.dialects import MEDIA_TYPE
from outhaul.settings import Settings
from outhaul.storage.bucket import BucketStore
from outhaul.storage.location import Location
from outhaul.storage.opening import check_files
from outhaul.storage.store import FilesError
from outhaul.store_access import AzureStorage

PATIENCE = {"read_patience": timedelta(seconds=0.2), "write_patience": timedelta(seconds=0.5)}
PART = "job/attempt/000000"


@pytest.fixture
def files(container: Container) -> Iterator[BucketStore]:
    with closing(BucketStore(container.location, **PATIENCE)) as opened:
        yield opened


def put(files: BucketStore, content: bytes) -> None:
    with files.writer(PART, media_type=MEDIA_TYPE) as target:
        target.write(content)


def signed(permissions: str) -> str:
    """Return a shared access signature of the account."""
    until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = f"{ACCOUNT}\n{permissions}\nb\nco\n\n{until}\n\n\n{VERSION}\n\n"
    digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
    signature = base64.b64encode(digest).decode()
    parts = {"sv": VERSION, "ss": "b", "srt": "co", "sp": permissions, "se": until}
    return urlencode({**parts, "sig": signature})


def with_sas(container: Container, token: str) -> Location:
    access = container.access
    assert isinstance(access, AzureStorage)
    changed = {"account_key": None, "sas_token": SecretStr(token)}
    return Location(url=container.url, access=access.model_copy(update=changed))


def test_what_is_not_set_is_taken_from_the_variables_of_azure(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = container.access
    assert isinstance(access, AzureStorage)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", KEY)
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", str(access.endpoint))
    with closing(BucketStore(Location(url=container.url, access=AzureStorage()))) as files:
        put(files, b"content")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "d3Jvbmc=")
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", "http://127.0.0.1:1")
    with closing(BucketStore(container.location)) as files:
        assert files.read(PART, 0, 7) == b"content", "our settings come first"


def test_without_an_account_the_url_is_named(container: Container) -> None:
    with pytest.raises(FilesError, match=f"^cannot open {container.url}: .*Account must be"):
        BucketStore(Location(url=container.url, access=AzureStorage()))


def test_the_key_is_shown_nowhere(container: Container) -> None:
    wrong = replace(container, key="YW5vdGhlciBrZXkgb2YgdGVzdHM=")
    with closing(BucketStore(wrong.location, **PATIENCE)) as files:
        with pytest.raises(FilesError, match="AuthorizationFailure") as refused:
            files.check()
        with pytest.raises(FilesError) as not_written:
            put(files, b"content")
        shown = [str(files), repr(vars(files)), repr(wrong.location), repr(refused.value)]
        shown += [repr(not_written.value), repr(not_written.value.__cause__)]
    assert not any("YW5vdGhlciBrZXkg" in text for text in shown)


def test_a_shared_access_signature_is_enough_and_is_shown_nowhere(container: Container) -> None:
    token = signed("rwdlc")
    signature = token.partition("sig=")[2]
    with closing(BucketStore(with_sas(container, token), **PATIENCE)) as files:
        put(files, b"content")
        files.check()
        assert [each.key for each in files.list()] == [PART]
        assert files.read(PART, 0, 7) == b"content"
        with pytest.raises(FilesError, match="cannot sign for") as unsigned:
            files.signed_url(PART)
    shown = [repr(unsigned.value), repr(with_sas(container, token))]
    with closing(BucketStore(with_sas(container, signed("r")), **PATIENCE)) as files:
        with pytest.raises(FilesError, match="AuthorizationPermissionMismatch") as refused:
            put(files, b"content")
        shown.append(repr(refused.value))
    with wire_to(container) as (reached, wire):
        wire.cut()
        with closing(BucketStore(with_sas(reached, token), **PATIENCE)) as files:
            for call in (files.check, lambda: list(files.list()), lambda: files.read(PART, 0, 1)):
                with pytest.raises(FilesError) as away:
                    call()
                shown.append(repr(away.value))
    assert not any(signature in text or "sig=" in text for text in shown)


def test_a_redirect_is_refused_where_nothing_can_be_signed(container: Container) -> None:
    redirected = {"files_url": container.url, "files_redirect": True, "data": "data"}
    check_files(Settings.model_validate({**redirected, **container.settings}))
    access = with_sas(container, signed("rwdlc")).access
    with pytest.raises(FilesError, match="cannot sign for"):
        check_files(Settings.model_validate({**redirected, "az": access}))


def test_an_address_is_enough_to_read_an_object_whole_or_in_ranges(files: BucketStore) -> None:
    content = os.urandom(100_000)
    put(files, content)
    address = files.signed_url(PART)
    assert KEY not in address
    with urlopen(address) as answer:  # noqa: S310 - our own
        assert answer.read() == content
        assert answer.headers["Content-Type"] == MEDIA_TYPE
    request = Request(address, headers={"Range": "bytes=10-99"})  # noqa: S310 - same
    with urlopen(request) as answer:  # noqa: S310 - same
        assert (answer.status, answer.read()) == (206, content[10:100])
    with pytest.raises(HTTPError) as refused:
        urlopen(address.replace("sp=r", "sp=rd"))  # noqa: S310 - same
    with refused.value as answer:
        assert answer.code == 403
