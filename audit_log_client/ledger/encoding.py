"""Strict decoders: each value has one encoding, and every other one is refused."""

import base64
import binascii
import re
from typing import Final

MAX_NUMBER: Final = 2**63 - 1

_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}")


def decode_base64(text: str) -> bytes:
    """Decode standard base64 with padding (RFC 4648 section 4) without unused bits.

    Raises:
        ValueError: `text` is not what encoding the bytes gives.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
    if base64.b64encode(data).decode() != text:
        raise ValueError("not canonical base64")
    return data


def decode_number(text: str) -> int:
    """Decode a decimal number from 0 to 2^63 - 1 without leading zeros.

    Raises:
        ValueError: `text` has another form.
    """
    if not _NUMBER.fullmatch(text) or int(text) > MAX_NUMBER:
        raise ValueError("not a number")
    return int(text)
