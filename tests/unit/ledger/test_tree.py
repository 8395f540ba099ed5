"""The Merkle tree against its definition in RFC 9162."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ledger.tiles import TiledHashes
from core.ledger.tree import Frontier, consistency_proof, inclusion_proof, leaf_hash, root
from tests.unit.ledger.trees import Tree

TREE = Tree(2000)
sizes = st.integers(1, len(TREE.leaves))


@given(st.lists(st.integers(0, 700), max_size=6))
def test_a_tree_that_grows_in_any_steps_has_the_root_of_its_definition(steps: list[int]) -> None:
    nodes: dict[tuple[int, int], bytes] = {}
    frontier = Frontier(0, TREE.full_subtree)
    for step in steps:
        leaves = TREE.leaves[frontier.size : frontier.size + step]
        nodes |= {(height, number): digest for height, number, digest in frontier.append(leaves)}
        assert frontier.root() == TREE.root(frontier.size)
        if len(nodes) % 2:  # continues with the roots that it has, or with those that it reads
            frontier = Frontier(frontier.size, TREE.full_subtree)
    assert nodes == {(8, number): TREE.full_subtree(8, number) for number in range(frontier.size // 256)}


def test_a_node_is_due_at_every_eighth_height() -> None:
    leaf = sha256(b"\0").digest()
    nodes = [(height, number) for height, number, _ in Frontier(0, TREE.full_subtree).append([leaf] * (2**16 + 256))]
    assert nodes == [(8, number) for number in range(257)] + [(16, 0)]


@given(sizes)
def test_the_root_comes_from_full_subtrees_or_from_tiles(size: int) -> None:
    assert root(size, TREE.full_subtree) == root(size, TiledHashes(TREE.read_tile)) == TREE.root(size)


@given(st.data())
def test_an_inclusion_proof_is_that_of_the_definition(data: st.DataObject) -> None:
    size = data.draw(sizes)
    index = data.draw(st.integers(0, size - 1))
    assert inclusion_proof(index, size, TiledHashes(TREE.read_tile)) == TREE.inclusion(index, size)


@given(st.data())
def test_a_consistency_proof_is_that_of_the_definition(data: st.DataObject) -> None:
    new = data.draw(sizes)
    old = data.draw(st.integers(1, new))
    assert consistency_proof(old, new, TiledHashes(TREE.read_tile)) == TREE.consistency(old, new)


def test_the_tree_without_leaves_has_the_root_of_the_rfc() -> None:
    assert root(0, TREE.full_subtree) == sha256(b"").digest()
    assert leaf_hash(b"") == sha256(b"\0").digest()


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 3)])
def test_a_leaf_outside_of_the_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_proof(index, size, TREE.full_subtree)


@pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3), (-1, 3)])
def test_only_a_smaller_tree_that_is_not_empty_has_a_consistency_proof(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="no consistency proof"):
        consistency_proof(old, new, TREE.full_subtree)
