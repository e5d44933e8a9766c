"""What arrived, held against what a job announced: checksums in any notation, sizes, records."""

import gzip
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outhaul.client import Checked, ChecksumError, Job
from outhaul.client.arrived import Arrived, sha256_of
from outhaul.protocol.states import State

FILE = b"id,name\n1,a\n2,b\n"
HEX = hashlib.sha256(FILE).hexdigest()
BLANKS = st.text(alphabet=" \t\n", max_size=2)


def check(file: bytes, **announced: object) -> Checked:
    job = Job(export_id="job-1", status=State.COMPLETED, **announced)  # type: ignore[arg-type]
    arrived = Arrived(job)
    for start in range(0, len(file), 3):
        arrived.update(file[start : start + 3])
    return arrived.check()


@given(
    content=st.binary(max_size=8),
    name=st.sampled_from(["sha256:", "SHA256:", "Sha-256: ", "sha256 =", ""]),
    capitals=st.booleans(),
    before=BLANKS,
    after=BLANKS,
)
def test_a_sha256_is_read_in_any_notation(
    content: bytes, name: str, capitals: bool, before: str, after: str
) -> None:
    digits = hashlib.sha256(content).hexdigest()
    written = before + name + (digits.upper() if capitals else digits) + after
    assert sha256_of(written) == digits


@pytest.mark.parametrize(
    "checksum",
    [
        None,
        "",
        "md5:d41d8cd98f00b204e9800998ecf8427e",
        "d41d8cd98f00b204e9800998ecf8427e",
        "sha256:zz",
        "sha256:" + HEX[:-1],
        "sha256:" + HEX + "0",
        "sha512:" + HEX,
        "sha256:" + HEX[:-1] + "٣",
        HEX + " " + HEX,
    ],
)
def test_what_is_no_sha256_is_not_checked(checksum: str | None) -> None:
    assert sha256_of(checksum) is None
    checked = check(FILE, checksum=checksum, records=2, file_size=len(FILE))
    assert (checked.by_checksum, checked.by_size, checked.by_records) == (False, True, True)


@pytest.mark.parametrize("checksum", ["sha256:" + HEX, "SHA256:" + HEX.upper(), HEX])
def test_a_checksum_that_is_read_is_checked(checksum: str) -> None:
    checked = check(FILE, checksum=checksum, records=77)
    assert (checked.by_checksum, checked.by_size, checked.by_records) == (True, False, False)
    assert (checked.sha256, checked.records) == (HEX, 77)
    with pytest.raises(ChecksumError, match=f"job-1 has sha256:[0-9a-f]+, not sha256:{HEX}"):
        check(FILE + b"3,c\n", checksum=checksum)


def test_records_are_held_against_what_came_if_there_is_no_checksum() -> None:
    assert check(FILE, records=2).by_records
    with pytest.raises(ChecksumError, match="job-1 has 2 of 20,000 records"):
        check(FILE, records=20_000)
    with pytest.raises(ChecksumError, match="has 0 of 20,000 records"):
        check(b"<p>The page is being moved.</p>\n", records=20_000)
    with pytest.raises(ChecksumError, match="has 0 of 2 records"):
        check(b"", records=2, file_size=0)


def test_records_are_counted_if_their_number_is_not_announced() -> None:
    checked = check(FILE)
    assert checked.records == 2
    assert not checked.by_records


def test_a_size_is_always_checked() -> None:
    with pytest.raises(ChecksumError, match=r"job-1 has 16 of 17 bytes"):
        check(FILE, checksum="sha256:" + HEX, file_size=17)


@pytest.mark.parametrize("announced", [{"records": 0}, {"file_size": 0}])
def test_no_bytes_are_a_file_without_records_if_that_is_announced(
    announced: dict[str, int],
) -> None:
    assert check(b"", **announced).records == 0


def test_no_bytes_are_no_file_if_nothing_is_announced() -> None:
    with pytest.raises(ChecksumError, match="has no bytes"):
        check(b"")
    empty = hashlib.sha256(b"").hexdigest()
    assert check(b"", checksum=empty).by_checksum


def test_gzip_is_counted_and_checked_for_its_end() -> None:
    packed = gzip.compress(FILE)
    assert check(packed, format="CSV.GZ", records=2).by_records
    with pytest.raises(ChecksumError, match=r"is no CSV\.GZ: its gzip data end too soon"):
        check(packed[:-4], format="CSV.GZ", records=2)
    with pytest.raises(ChecksumError, match=r"is no CSV\.GZ: it is not gzip"):
        check(FILE, format="CSV.GZ")


def test_a_format_that_cannot_be_counted_is_not() -> None:
    checked = check(FILE, format="PARQUET", records=7)
    assert (checked.by_records, checked.records) == (False, 7)
