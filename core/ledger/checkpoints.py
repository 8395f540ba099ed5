"""Checkpoints (C2SP tlog-checkpoint): origin, size and root of a tree, as the text of a signed note."""

import base64
import binascii
import re
from typing import Final, NamedTuple

_ORIGIN: Final = re.compile(r"[^\s+\x00-\x1f\x7f]{1,255}")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_HASH_BYTES: Final = 32
_LINES: Final = 3


class MalformedCheckpointError(ValueError):
    """The text of a note is not a checkpoint. It did not come from a ledger, or was changed on the way."""


class Checkpoint(NamedTuple):
    """The state of a ledger: its first `size` entries have this root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """Text to be signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def is_origin(name: str) -> bool:
    """Whether a name can be the origin of a ledger, which is the name of its keys as well."""
    return _ORIGIN.fullmatch(name) is not None


def parse_checkpoint(text: str) -> Checkpoint:
    """Decode the text of a note.

    Raises:
        MalformedCheckpointError: the text is not one that `Checkpoint.text` returns. Extension lines are refused,
            because a ledger of this service writes none.
    """
    lines = text.removesuffix("\n").split("\n")
    if len(lines) == _LINES and is_origin(lines[0]) and _SIZE.fullmatch(lines[1]):
        try:
            checkpoint = Checkpoint(lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True))
        except binascii.Error:
            checkpoint = None
        if checkpoint and len(checkpoint.root) == _HASH_BYTES and checkpoint.text == text:
            return checkpoint
    raise MalformedCheckpointError("Not a checkpoint: origin, size and root are needed, one a line.")
