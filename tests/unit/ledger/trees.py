"""Trees by the definition of RFC 9162 section 2.1, as the reference for the code that is fast."""

from functools import cache
from hashlib import sha256


class Tree:
    """The tree over the leaf hashes of `size` made-up entries."""

    def __init__(self, size: int) -> None:
        self.leaves = [sha256(b"\0" + b"entry %d" % number).digest() for number in range(size)]
        self._range_root = cache(self._compute)

    def root(self, size: int) -> bytes:
        return self._range_root(0, size) if size else sha256(b"").digest()

    def full_subtree(self, height: int, number: int) -> bytes:
        """Implements `FullSubtree`."""
        return self._range_root(number << height, (number + 1) << height)

    def read_tile(self, level: int, number: int, width: int) -> list[bytes]:
        """Implements `TileReader`."""
        return [self.full_subtree(8 * level, 256 * number + place) for place in range(width)]

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """PATH(m, D[n]) of RFC 9162 section 2.1.3.1."""
        return self._path(index, 0, size)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """PROOF(m, D[n]) of RFC 9162 section 2.1.4.1."""
        return self._subproof(old, 0, new, known=True)

    def _compute(self, start: int, end: int) -> bytes:
        if end - start == 1:
            return self.leaves[start]
        middle = start + _split(end - start)
        return sha256(b"\1" + self._range_root(start, middle) + self._range_root(middle, end)).digest()

    def _path(self, index: int, start: int, end: int) -> list[bytes]:
        if end - start == 1:
            return []
        middle = start + _split(end - start)
        if index < middle - start:
            return [*self._path(index, start, middle), self._range_root(middle, end)]
        return [*self._path(index - (middle - start), middle, end), self._range_root(start, middle)]

    def _subproof(self, old: int, start: int, end: int, *, known: bool) -> list[bytes]:
        if old == end - start:
            return [] if known else [self._range_root(start, end)]
        size = _split(end - start)
        middle = start + size
        if old <= size:
            return [*self._subproof(old, start, middle, known=known), self._range_root(middle, end)]
        return [*self._subproof(old - size, middle, end, known=False), self._range_root(start, middle)]


def _split(size: int) -> int:
    power = 1
    while power * 2 < size:
        power *= 2
    return power
