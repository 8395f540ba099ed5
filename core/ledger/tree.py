"""The Merkle tree of RFC 9162 section 2.1: hashes, appending, and proofs of inclusion and of consistency.

A full subtree of height h is the hash of 2^h leaves. The tree of n leaves consists of one full subtree for each bit of
n. Functions that need hashes of stored leaves get them from `FullSubtree`.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, NamedTuple, Protocol

EMPTY_ROOT: Final = sha256(b"").digest()
"""Root of the tree without leaves."""

NODE_HEIGHT: Final = 8
"""Nodes at multiples of this height are stored, as C2SP's tiles have them; all others are computed."""


class FullSubtree(Protocol):
    """Reads the root of a full subtree."""

    def __call__(self, height: int, number: int) -> bytes:
        """Return the root of the leaves from `number * 2^height` up to but without `(number + 1) * 2^height`."""


class Node(NamedTuple):
    """Root of a full subtree at a multiple of NODE_HEIGHT."""

    height: int
    number: int
    digest: bytes


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(b"\0" + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """Return the hash of each leaf."""
    return [sha256(b"\0" + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return sha256(b"\1" + left + right).digest()


class Frontier:
    """The right edge of a tree: the roots of its full subtrees, largest first. Grows by leaves."""

    def __init__(self, size: int, full_subtree: FullSubtree) -> None:
        """Begin with the tree of the first `size` leaves."""
        self.size = size
        # From the right, so that a reader of tiles reads the last one once, in its whole width.
        self._roots = [full_subtree(height, (size >> height) - 1) for height in reversed(_heights(size))][::-1]

    def append(self, leaves: Iterable[bytes]) -> list[Node]:
        """Append leaf hashes. Returns the nodes to be stored that became full, by height."""
        full, height, number = list(leaves), 0, self.size
        self.size += len(full)
        edge: list[bytes] = []  # the new roots below `height`, smallest first
        nodes: list[Node] = []
        while full:  # subtrees of `height` that became full, from `number` on
            if number & 1:
                full.insert(0, self._roots.pop())  # the smallest that is left, which is of this height
            if len(full) & 1:
                edge.append(full.pop())
            full = level_above(full)
            number >>= 1
            height += 1
            if not height % NODE_HEIGHT:
                nodes += [Node(height, number + place, digest) for place, digest in enumerate(full)]
        self._roots += reversed(edge)
        return nodes

    def root(self) -> bytes:
        """Return the root of the tree."""
        if not self._roots:
            return EMPTY_ROOT
        digest = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            digest = node_hash(left, digest)
        return digest


def level_above(hashes: Sequence[bytes]) -> list[bytes]:
    """Return the hashes of the inner nodes over pairs of nodes; one that is left over at the end has none."""
    return [sha256(b"\1" + left + right).digest() for left, right in zip(hashes[::2], hashes[1::2], strict=False)]


def root(size: int, full_subtree: FullSubtree) -> bytes:
    """Return the root of the tree of the first `size` leaves."""
    return Frontier(size, full_subtree).root()


def inclusion_proof(index: int, size: int, full_subtree: FullSubtree) -> list[bytes]:
    """Return the hashes from the sibling of leaf `index` up to the child of the root (RFC 9162 section 2.1.3.1).

    Raises:
        ValueError: the tree of `size` leaves has no leaf `index`.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    start, end, path = 0, size, list[bytes]()
    while end - start > 1:
        middle = start + _left_size(end - start)
        if index < middle:
            path.append(_range_root(middle, end, full_subtree))
            end = middle
        else:
            path.append(_range_root(start, middle, full_subtree))
            start = middle
    return path[::-1]


def consistency_proof(old: int, new: int, full_subtree: FullSubtree) -> list[bytes]:
    """Return the hashes that prove the tree of `old` leaves to be the beginning of that of `new` (RFC 9162, 2.1.4.1).

    Raises:
        ValueError: not 0 < old <= new.
    """
    if not 0 < old <= new:
        raise ValueError(f"no consistency proof from {old} to {new}")
    start, end, path, is_old_root = 0, new, list[bytes](), True
    while end > old:
        middle = start + _left_size(end - start)
        if old <= middle:
            path.append(_range_root(middle, end, full_subtree))
            end = middle
        else:
            path.append(_range_root(start, middle, full_subtree))
            start, is_old_root = middle, False
    if not is_old_root:
        path.append(_range_root(start, end, full_subtree))
    return path[::-1]


def _range_root(start: int, end: int, full_subtree: FullSubtree) -> bytes:
    """Return the root of the leaves from `start`, which begins a full subtree at least as large, up to `end`."""
    size = end - start
    digest = None
    for height in reversed(_heights(size)):
        end -= 1 << height
        subtree = full_subtree(height, end >> height)
        digest = subtree if digest is None else node_hash(subtree, digest)
    if digest is None:
        raise ValueError("an empty range has no root")
    return digest


def _heights(size: int) -> list[int]:
    """Return the heights of the full subtrees of a tree, largest first."""
    return [height for height in range(size.bit_length() - 1, -1, -1) if size >> height & 1]


def _left_size(size: int) -> int:
    """Return the largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1
