"""Files for third parties: the proof of an entry (C2SP tlog-proof), and a request to a witness (C2SP tlog-witness)."""

import base64
from collections.abc import Sequence
from typing import Final

_HEADER: Final = "c2sp.org/tlog-proof@v1"


def proof_file(index: int, path: Sequence[bytes], checkpoint: bytes, extra: bytes) -> bytes:
    """Return the proof that an entry is in the tree of a checkpoint.

    Args:
        index: Index of the entry.
        path: The inclusion proof, see `inclusion_proof`.
        checkpoint: The signed note.
        extra: Head document or entry. Below 40,000 bytes, since readers stop at lines of 64 KiB.
    """
    lines = [_HEADER, f"extra {_base64(extra)}", f"index {index}", *map(_base64, path)]
    return _followed_by(lines, checkpoint)


def consistency_file(old: int, path: Sequence[bytes], checkpoint: bytes) -> bytes:
    """Return the proof that the tree of `old` entries is the beginning of that of a checkpoint.

    It is the body of a witness's `add-checkpoint`.
    """
    return _followed_by([f"old {old}", *map(_base64, path)], checkpoint)


def _followed_by(lines: Sequence[str], checkpoint: bytes) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode() + b"\n" + checkpoint


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
