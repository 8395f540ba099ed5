"""Tiles of a tree and bundles of entries, as in C2SP tlog-tiles: their paths, their bytes, and hashes read from them.

The tile `number` of a level has the roots of up to 256 full subtrees of height `8 * level`, from `256 * number` on.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple, Protocol

from core.ledger.tree import NODE_HEIGHT, level_above

TILE_WIDTH: Final = 1 << NODE_HEIGHT
"""Hashes in a full tile, and entries in a full bundle."""

ENTRIES: Final = "entries"
"""Stands in paths in place of the level for bundles of entries."""

_PATH: Final = re.compile(
    r"(?P<level>0|[1-9][0-9]?|entries)/(?P<number>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)
_MAX_LEVEL: Final = 63
_GROUP: Final = 1000


class Tile(NamedTuple):
    """Place and width of a tile, or of a bundle of entries."""

    level: int | Literal["entries"]
    number: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """Path below `tile/`, such as `0/x001/234.p/17`."""
        groups = [f"{self.number % _GROUP:03}"]
        rest = self.number // _GROUP
        while rest:
            groups.append(f"x{rest % _GROUP:03}")
            rest //= _GROUP
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"{self.level}/{'/'.join(reversed(groups))}{partial}"

    def is_in(self, size: int) -> bool:
        """Whether a tree of `size` leaves has all hashes of the tile."""
        height = 0 if self.level == ENTRIES else NODE_HEIGHT * int(self.level)
        return self.number * TILE_WIDTH + self.width <= size >> height


def parse_path(path: str) -> Tile | None:
    """Parse the path of a tile below `tile/`. Return None if it is not a path as `Tile.path` writes it."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    level: int | Literal["entries"] = ENTRIES if match["level"] == ENTRIES else int(match["level"])
    tile = Tile(level, int(match["number"].replace("x", "").replace("/", "")), int(match["width"] or TILE_WIDTH))
    is_valid = tile.width <= TILE_WIDTH and (level == ENTRIES or level <= _MAX_LEVEL)
    return tile if is_valid and tile.path == path else None


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Encode entries, each after its length in two bytes."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


class TileReader(Protocol):
    """Reads hashes of a tile."""

    def __call__(self, level: int, number: int, width: int) -> Sequence[bytes]:
        """Return at least the first `width` hashes of a tile of a level of numbers."""


class TiledHashes:
    """Implements `FullSubtree` over tiles."""

    def __init__(self, read: TileReader) -> None:
        self._read = read

    def __call__(self, height: int, number: int) -> bytes:
        """See `FullSubtree`."""
        level, above = divmod(height, NODE_HEIGHT)
        tile, start = divmod(number << above, TILE_WIDTH)
        end = start + (1 << above)
        hashes = list(self._read(level, tile, end)[start:end])
        while len(hashes) > 1:
            hashes = level_above(hashes)
        return hashes[0]
