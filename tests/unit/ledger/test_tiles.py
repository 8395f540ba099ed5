"""Paths and widths of tiles, with the examples of C2SP tlog-tiles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ledger.tiles import ENTRIES, Tile, encode_bundle, parse_path


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 1234067), "0/x001/x234/067"),
        (Tile(0, 0), "0/000"),
        (Tile(0, 273, 112), "0/273.p/112"),
        (Tile(1, 999), "1/999"),
        (Tile(63, 1000, 1), "63/x001/000.p/1"),
        (Tile(ENTRIES, 1234067, 255), "entries/x001/x234/067.p/255"),
    ],
)
def test_a_tile_has_the_path_of_the_specification(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert parse_path(path) == tile


@given(st.integers(0, 63) | st.just(ENTRIES), st.integers(0, 10**13), st.integers(1, 256))
def test_every_path_reads_as_its_tile(level: int, number: int, width: int) -> None:
    tile = Tile(level, number, width)
    assert parse_path(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "", "0", "0/", "/0/000", "0/0", "0/00", "0/0000", "0/x000/001", "0/001/002", "0/x001/x002", "0/x01/002",
        "00/000", "64/000", "-1/000", "+1/000", "a/000", "Entries/000", "0/000.p", "0/000.p/", "0/000.p/0",
        "0/000.p/01", "0/000.p/256", "0/000.p/999", "0/000.p/-1", "0/000/", "0/000.p/1/", "0/000\n",
        "0/\u0660\u0660\u0660",
        "0/x001/../000", "0/000?", "0/ 000", "entries", "entries/", "entries/000.p/0",
    ],
)  # fmt: skip
def test_a_path_in_any_other_form_is_none(path: str) -> None:
    assert parse_path(path) is None


@pytest.mark.parametrize(
    ("tile", "is_in"),
    [
        (Tile(0, 272), True), (Tile(0, 273), False), (Tile(0, 273, 112), True), (Tile(0, 273, 113), False),
        (Tile(1, 0), True), (Tile(1, 1), False), (Tile(1, 1, 17), True), (Tile(1, 1, 18), False),
        (Tile(2, 0, 1), True), (Tile(2, 0, 2), False), (Tile(3, 0, 1), False), (Tile(63, 0, 1), False),
        (Tile(ENTRIES, 273, 112), True), (Tile(ENTRIES, 273, 113), False),
    ],
)  # fmt: skip
def test_a_tree_of_70000_leaves_has_the_tiles_of_the_specification(tile: Tile, is_in: bool) -> None:  # noqa: FBT001
    assert tile.is_in(70_000) is is_in


def test_a_bundle_has_the_length_before_each_entry() -> None:
    assert encode_bundle([b"abc", b"", b"x" * 300]) == b"\x00\x03abc\x00\x00\x01\x2c" + b"x" * 300
