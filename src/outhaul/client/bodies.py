"""Reading the body of an answer. A large one is read straight from its connection.

The HTTP library hands out a body in pieces of 64 KiB and copies each a few times. For files of
gigabytes that takes as long as computing their SHA-256.
"""

from collections.abc import Iterator

import httpcore2
import httpx2

_READ_BYTES = 1 << 20
_LARGE_BYTES = 4 << 20


def pieces_of(response: httpx2.Response) -> Iterator[bytes]:
    """Yield the bytes of a body that is not compressed. Raises `httpx2.RequestError`.

    The connection of a body that was read straight from it is closed afterwards: the HTTP library
    does not know that the answer has ended.
    """
    pieces = response.iter_bytes()
    left = _length(response)
    stream = response.extensions.get("network_stream")
    if stream is None or left < _LARGE_BYTES:
        yield from pieces
        return
    # The first piece is all that the library has read from the connection so far.
    piece = next(pieces, b"")
    seconds = response.request.extensions.get("timeout", {}).get("read")
    while piece:
        yield piece
        left -= len(piece)
        if left <= 0:
            return
        try:
            piece = stream.read(min(_READ_BYTES, left), seconds)
        except httpcore2.TimeoutException as error:
            raise httpx2.ReadTimeout(str(error), request=response.request) from error
        except httpcore2.NetworkError as error:
            raise httpx2.ReadError(str(error), request=response.request) from error
    raise httpx2.RemoteProtocolError(
        f"the peer closed the connection {left} bytes before the end", request=response.request
    )


def _length(response: httpx2.Response) -> int:
    """Return the length of the body, or 0 if its end is marked in another way."""
    is_plain = response.http_version == "HTTP/1.1" and "Transfer-Encoding" not in response.headers
    length: str = response.headers.get("Content-Length", "")
    return int(length) if is_plain and length.isascii() and length.isdigit() else 0
