"""Content codings of request bodies (RFC 9110 section 8.4.1): decodes gzip and deflate within a size limit."""

import zlib
from typing import Final

from core.domain.byte_order_mark import without_mark
from core.errors import EventTooLargeError
from functions.http.errors import MalformedRequestError, UnsupportedContentCodingError
from functions.http.request import Request

CODINGS: Final = ("gzip", "deflate")

_ALIASES: Final = {"x-gzip": "gzip", "identity": ""}
_GZIP: Final = 31
_ZLIB: Final = 15
_RAW_DEFLATE: Final = -15
_CHUNK: Final = 4096  # bytes decoded at a time: after each member of a gzip file, the rest of a chunk is copied


def decode_body(request: Request, max_bytes: int) -> bytes:
    """Return the body of the request, decoded and without a byte order mark. Call it after authentication.

    `max_bytes` limits the body both as sent and as decoded, so that a small body cannot fill the memory.

    Raises:
        EventTooLargeError: the body is larger than `max_bytes`.
        UnsupportedContentCodingError: a coding that is not in `CODINGS`, or several.
        MalformedRequestError: the body is truncated, or not in the coding that Content-Encoding names; or the header is
            repeated.
    """
    coding = _content_coding(request)
    if coding and coding not in CODINGS:
        raise UnsupportedContentCodingError(CODINGS)
    body = request.body
    if coding and len(body) <= max_bytes:
        try:
            body = _decompress(body, _GZIP, max_bytes) if coding == "gzip" else _inflate(body, max_bytes)
        except zlib.error:
            raise MalformedRequestError(
                f"The body is not {coding}, as Content-Encoding says, or is truncated: compress it, or omit the header."
            ) from None
    if len(body) > max_bytes:
        raise EventTooLargeError(f"The body is too large: this route accepts at most {max_bytes} bytes.")
    return without_mark(body)


def require_identity(request: Request) -> None:
    """Check that the body has no content coding, in a route that reads it before authentication.

    Raises:
        UnsupportedContentCodingError: it has one.
        MalformedRequestError: several Content-Encoding headers.
    """
    if _content_coding(request):
        raise UnsupportedContentCodingError(["identity"])


def _content_coding(request: Request) -> str:
    """Return the content coding in lower case; empty for none."""
    coding = (request.header("content-encoding") or "").strip().lower()
    return _ALIASES.get(coding, coding)


def _inflate(data: bytes, max_bytes: int) -> bytes:
    """Decode the zlib format (RFC 1950); raw deflate (RFC 1951) as well, which some clients send as `deflate`."""
    try:
        return _decompress(data, _ZLIB, max_bytes)
    except zlib.error:
        return _decompress(data, _RAW_DEFLATE, max_bytes)


def _decompress(data: bytes, window_bits: int, max_bytes: int) -> bytes:
    """Decode all members (RFC 1952 section 2.2), but stop one byte beyond `max_bytes`."""
    pieces: list[bytes] = []
    room = max_bytes + 1
    position = 0
    decoder = zlib.decompressobj(window_bits)
    while room and not (decoder.eof and position == len(data)):
        if decoder.eof:
            decoder = zlib.decompressobj(window_bits)
        chunk = data[position : position + _CHUNK]
        if not chunk:
            raise zlib.error("truncated")
        piece = decoder.decompress(chunk, room)
        position += len(chunk) - len(decoder.unused_data) - len(decoder.unconsumed_tail)
        room -= len(piece)
        pieces.append(piece)
    return b"".join(pieces)
