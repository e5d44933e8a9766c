from hypothesis import given
from hypothesis import strategies as st

from outhaul.protocol.ranges import ByteRange
from outhaul.storage.manifest import Manifest, Part
from outhaul.storage.pieces import pieces
from outhaul.storage.store import READ_BYTES

# Small parts, empty ones among them, and now and then one of several mebibytes.
SIZES = st.integers(0, 20) | st.sampled_from(
    [READ_BYTES - 1, READ_BYTES, READ_BYTES + 1, 2 * READ_BYTES + 5]
)
CONTENT = memoryview(bytes(range(251)) * (3 * READ_BYTES // 251))


@st.composite
def files(draw: st.DrawFn) -> tuple[list[bytes], ByteRange]:
    starts = st.integers(0, 250)
    parts = [
        bytes(CONTENT[start : start + size])
        for size, start in draw(st.lists(st.tuples(SIZES, starts), max_size=6))
    ]
    total = sum(map(len, parts))
    first = draw(st.integers(0, total))
    return parts, ByteRange(first, draw(st.integers(first, total)))


@given(files())
def test_the_pieces_are_the_slice_of_the_whole(example: tuple[list[bytes], ByteRange]) -> None:
    parts, wanted = example
    by_key = {f"k{n}": part for n, part in enumerate(parts)}
    found = list(pieces([(key, len(part)) for key, part in by_key.items()], wanted, READ_BYTES))
    assert all(0 < piece.length <= READ_BYTES for piece in found)
    read = b"".join(by_key[p.key][p.first : p.first + p.length] for p in found)
    assert read == b"".join(parts)[wanted.first : wanted.end]
    assert sum(piece.length for piece in found) == wanted.length


@given(files())
def test_only_parts_that_are_touched_are_read(example: tuple[list[bytes], ByteRange]) -> None:
    parts, wanted = example
    begin = 0
    touched = []
    for n, part in enumerate(parts):
        if max(begin, wanted.first) < min(begin + len(part), wanted.end):
            touched.append(f"k{n}")
        begin += len(part)
    found = pieces([(f"k{n}", len(part)) for n, part in enumerate(parts)], wanted, READ_BYTES)
    assert list(dict.fromkeys(piece.key for piece in found)) == touched


def test_no_parts_have_no_pieces() -> None:
    assert list(pieces([], ByteRange(0, 0), READ_BYTES)) == []


def test_a_manifest_adds_up() -> None:
    parts = [Part(number=n, key=f"k{n}", size=n * 10, records=n) for n in range(4)]
    manifest = Manifest(parts=parts, checksum="abc")
    assert (manifest.size, manifest.records) == (60, 6)
    assert (Manifest(parts=[], checksum="abc").size, Manifest(parts=[], checksum="").records) == (
        0,
        0,
    )
