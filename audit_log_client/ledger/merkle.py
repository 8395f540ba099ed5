"""Verification of Merkle proofs (RFC 9162 section 2.1.3 and 2.1.4).

A path from a leaf to the root first has siblings on either side, up to the subtree that has the last leaf as well (its
inner part), and from there only siblings on the left (its border). Sizes alone say how many hashes each part has.
"""

from collections.abc import Sequence
from hashlib import sha256

from audit_log_client.ledger.errors import NotProvenError


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(b"\x00" + entry).digest()


def root_of_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """Return the root of the tree of `size` leaves in which leaf `index` has this hash and this path.

    Raises:
        NotProvenError: there is no such tree, whatever the hashes.
    """
    if not 0 <= index < size:
        raise NotProvenError("The index is beyond the size of the checkpoint.")
    inner = (index ^ (size - 1)).bit_length()
    if len(path) != inner + (index >> inner).bit_count():
        raise NotProvenError("The inclusion proof has too few or too many hashes for its index and size.")
    return _climb(leaf, path, inner, index)


def check_consistency(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> None:
    """Check that the tree of `old` leaves is the beginning of that of `new` leaves.

    Raises:
        NotProvenError: the proof does not show it.
    """
    if not 0 < old <= new:
        raise NotProvenError("Only a checkpoint that is not empty can be the beginning of one at least as large.")
    if old == new:
        if path or old_root != new_root:
            raise NotProvenError("Two checkpoints of one size have different roots: the ledger was forked.")
        return
    # The proof begins with the largest full subtree that ends at `old`. If it is the whole tree, its root is known.
    height = (old & -old).bit_length() - 1
    is_whole = old == 1 << height
    hashes = [old_root, *path] if is_whole else list(path)
    number = (old - 1) >> height
    inner = (number ^ ((new - 1) >> height)).bit_length()
    if len(hashes) != 1 + inner + (number >> inner).bit_count():
        raise NotProvenError("The consistency proof has too few or too many hashes for its sizes.")
    start, *siblings = hashes
    # The old tree has the same siblings on the left, and none on the right.
    of_old = [sibling for place, sibling in enumerate(siblings) if place >= inner or number >> place & 1]
    if _climb(start, of_old, 0, 0) != old_root:
        raise NotProvenError("The old checkpoint is not the beginning of the new one.")
    if _climb(start, siblings, inner, number) != new_root:
        raise NotProvenError("The consistency proof does not lead to the new checkpoint.")


def _climb(digest: bytes, siblings: Sequence[bytes], inner: int, number: int) -> bytes:
    """Hash upwards. In the inner part bit `place` of `number` says whether the sibling at this place is on the left."""
    for place, sibling in enumerate(siblings):
        on_the_left = place >= inner or number >> place & 1
        digest = sha256(b"\x01" + (sibling + digest if on_the_left else digest + sibling)).digest()
    return digest
