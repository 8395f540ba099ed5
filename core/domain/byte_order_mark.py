"""Byte order marks, with which some editors begin the files that they save (RFC 3629 section 6)."""

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE


def without_mark(content: bytes) -> bytes:
    """Return the content of a file without the mark of UTF-8, if it begins with it."""
    return content.removeprefix(BOM_UTF8)


def is_utf16(content: bytes) -> bool:
    """Whether the content begins with a mark of UTF-16, as what Windows PowerShell redirects into a file."""
    return content.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
