"""Sealed cursors: positions in the feed as texts that say nothing to their bearers.

Positions count the events of all customers. A reader that sees some customers only could conclude from them how many
events others record, so positions are encrypted, and equal ones differ: a cursor that stays the same would show that
nothing was stored. The scheme is a synthetic IV (RFC 5297) with HMAC-SHA256 as its only primitive, which Python has
without a library: the tag authenticates position and random bytes, and is the nonce of the key stream.
"""

import base64
import binascii
import hmac
import secrets
import struct
from typing import Final

_VERSION: Final = b"\x01"
_TAG_BYTES: Final = 16
_SALT_BYTES: Final = 8
_SIZE: Final = len(_VERSION) + _TAG_BYTES + 8 + _SALT_BYTES


class CursorSeal:
    """Seals positions, and opens what it has sealed. Needs 32 secret bytes."""

    def __init__(self, secret: bytes) -> None:
        self._tag_key = hmac.digest(secret, b"audit-log feed cursor tag", "sha256")
        self._pad_key = hmac.digest(secret, b"audit-log feed cursor pad", "sha256")

    def seal(self, position: int) -> str:
        """Return a URL-safe text of 44 characters, a new one at each call."""
        plain = struct.pack(">Q", position) + secrets.token_bytes(_SALT_BYTES)
        tag = self._tag(plain)
        return base64.urlsafe_b64encode(_VERSION + tag + self._padded(tag, plain)).decode()

    def open(self, text: str) -> int:
        """Return the position in a sealed cursor. Raises ValueError: it is another text, or sealed by another key."""
        try:
            raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error):
            raw = b""
        tag = raw[len(_VERSION) : len(_VERSION) + _TAG_BYTES]
        plain = self._padded(tag, raw[len(_VERSION) + _TAG_BYTES :])
        is_ours = len(raw) == _SIZE and raw.startswith(_VERSION) and hmac.compare_digest(tag, self._tag(plain))
        if not is_ours:
            raise ValueError("is not a cursor: send next_cursor of the last answer unchanged, or now")
        (position,) = struct.unpack_from(">Q", plain)
        return int(position)

    def _tag(self, plain: bytes) -> bytes:
        return hmac.digest(self._tag_key, plain, "sha256")[:_TAG_BYTES]

    def _padded(self, tag: bytes, text: bytes) -> bytes:
        pad = hmac.digest(self._pad_key, tag, "sha256")
        return bytes(one ^ other for one, other in zip(text, pad, strict=False))
