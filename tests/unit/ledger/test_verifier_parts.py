"""Keys, notes, policies and Merkle proofs as the verifier reads them, with published examples."""

import contextlib
from hashlib import sha256
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_log_client.ledger import NotProvenError, PolicyError, parse_policy, policy_of_key, verify_event
from audit_log_client.ledger.merkle import check_consistency, leaf_hash, root_of_inclusion
from audit_log_client.ledger.notes import open_note, parse_key
from core.ledger.notes import verifier_key
from tests.unit.ledger.published import BAD_NOTES, ENOCH, ENOCH_VKEY, PETER, PETER_VKEY, SOFA, TEXT
from tests.unit.ledger.sample_log import ORIGIN, SampleLog, cosigned, private_key
from tests.unit.ledger.trees import Tree

TREE = Tree(300)
LOG = SampleLog()
WITNESSES = {f"w{number}": private_key(100 + number) for number in range(1, 4)}


def test_the_published_key_is_read_and_every_other_text_is_refused() -> None:
    assert parse_key(PETER_VKEY).name == "PeterNeumann"
    cut = {PETER_VKEY[:place] for place in range(len(PETER_VKEY))} | {PETER_VKEY[place:] for place in range(1, 90)}
    mangled = {
        PETER_VKEY[:place] + chr(ord(PETER_VKEY[place]) + 1) + PETER_VKEY[place + 1 :]
        for place in range(len(PETER_VKEY))
    }
    of_other_kinds = {
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    }
    for text in cut | mangled | of_other_kinds:
        with pytest.raises(PolicyError):
            parse_key(text)


def test_only_signatures_of_known_keys_are_verified() -> None:
    peter, enoch = parse_key(PETER_VKEY), parse_key(ENOCH_VKEY)
    note = f"{TEXT}\n{PETER}{ENOCH}".encode()
    assert open_note(note, [peter]).logs == (peter,)
    assert open_note(note, [enoch, peter]).logs == (peter, enoch)
    assert open_note(note, []).logs == ()
    assert open_note(f"{TEXT}\n{PETER * 100}".encode(), [peter]).logs == (peter,)
    with pytest.raises(NotProvenError, match="signature of the log"):
        open_note(f"{TEXT}\n{PETER[:60]}ABCD{PETER[60:]}".encode(), [peter])
    with pytest.raises(NotProvenError, match="signature of the log"):
        open_note(f"x{TEXT}\n{PETER}".encode(), [peter])


def test_a_published_note_of_unknown_keys_has_a_text_and_no_signature_that_counts() -> None:
    opened = open_note(SOFA.encode(), [parse_key(PETER_VKEY)])
    assert opened.text == "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    assert (opened.logs, opened.cosignatures) == ((), ())


@pytest.mark.parametrize("data", BAD_NOTES)
def test_a_malformed_note_is_refused(data: bytes) -> None:
    with pytest.raises(NotProvenError):
        open_note(data, [parse_key(PETER_VKEY)])


# Leaves and roots of the reference implementation of Certificate Transparency.
PUBLISHED_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
PUBLISHED_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_the_published_trees_are_verified() -> None:
    tree = Tree(8)
    tree.leaves = [leaf_hash(bytes.fromhex(leaf)) for leaf in PUBLISHED_LEAVES]
    for size, root in enumerate(PUBLISHED_ROOTS, 1):
        for index in range(size):
            path = tree.inclusion(index, size)
            assert root_of_inclusion(index, size, tree.leaves[index], path).hex() == root
    for old, new in product(range(1, 9), repeat=2):
        if old <= new:
            roots = [bytes.fromhex(PUBLISHED_ROOTS[size - 1]) for size in (old, new)]
            check_consistency(old, roots[0], new, roots[1], tree.consistency(old, new))


@given(st.data())
def test_only_the_one_path_of_a_leaf_leads_to_the_root(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 300))
    index = data.draw(st.integers(0, size - 1))
    path, leaf, root = TREE.inclusion(index, size), TREE.leaves[index], TREE.root(size)
    assert root_of_inclusion(index, size, leaf, path) == root
    changes = [(index, size, sha256(leaf).digest(), path), (index, size, leaf, [*path, leaf])]
    changes += [(other, size, leaf, path) for other in range(size) if other != index][:20]
    changes += [(index, size, leaf, path[:place] + path[place + 1 :]) for place in range(len(path))]
    changes += [(index, size, leaf, [*path[:place], leaf, *path[place + 1 :]]) for place in range(len(path))]
    for changed in changes:
        with contextlib.suppress(NotProvenError):
            assert root_of_inclusion(*changed) != root


@given(st.data())
def test_only_the_one_consistency_proof_is_accepted(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, 300))
    old = data.draw(st.integers(1, new))
    path, roots = TREE.consistency(old, new), (TREE.root(old), TREE.root(new))
    check_consistency(old, roots[0], new, roots[1], path)
    other = sha256(b"other").digest()
    changed = [(other, roots[1], path), (roots[0], other, path), (*roots, [*path, other])]
    changed += [(*roots, path[:place] + path[place + 1 :]) for place in range(len(path))]
    changed += [(*roots, [*path[:place], other, *path[place + 1 :]]) for place in range(len(path))]
    for old_root, new_root, hashes in changed:
        with pytest.raises(NotProvenError):
            check_consistency(old, old_root, new, new_root, hashes)


def witness_key(name: str) -> str:
    return verifier_key(f"{name}.example.org", 4, WITNESSES[name].public_key().public_bytes_raw())


KEYS = {name: witness_key(name) for name in WITNESSES}
POLICY = f"""# Who must have seen a checkpoint
log {LOG.vkey} https://audit.example.org/ledger
witness w1 {KEYS["w1"]}
\twitness  w2\t{KEYS["w2"]} https://w2.example.org
witness w3 {KEYS["w3"]}

group two 2 w1 w2 w3
quorum two
"""


def proof_cosigned_by(*names: str) -> bytes:
    note = LOG.checkpoint()
    for name in names:
        note = cosigned(note, f"{name}.example.org", WITNESSES[name])
    return LOG.proof(3).partition(b"\n\n")[0] + b"\n\n" + note.to_bytes()


def test_a_quorum_of_witnesses_is_enough() -> None:
    proven = verify_event(proof_cosigned_by("w1", "w3"), parse_policy(POLICY.encode()))
    assert [(each.key.name, each.time) for each in proven.checkpoint.cosignatures] == [
        ("w1.example.org", 1_769_860_800),
        ("w3.example.org", 1_769_860_800),
    ]


@pytest.mark.parametrize("names", [(), ("w1",), ("w2", "w2", "w2")])
def test_less_than_the_quorum_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(NotProvenError, match="lacks cosignatures"):
        verify_event(proof_cosigned_by(*names), parse_policy(POLICY.encode()))


@pytest.mark.parametrize(
    ("rule", "names", "accepted"),
    [
        ("quorum none", (), True),
        ("quorum w2", ("w2",), True),
        ("quorum w2", ("w1", "w3"), False),
        ("group g any w1 w2\nquorum g", ("w2",), True),
        ("group g all w1 w2\nquorum g", ("w2",), False),
        ("group g all w1 w2\nquorum g", ("w2", "w1"), True),
        ("group g all w1 w2\ngroup h any g w3\nquorum h", ("w3",), True),
        ("group g all w1 w2\ngroup h all g w3\nquorum h", ("w1", "w2"), False),
    ],
)
def test_a_policy_counts_witnesses_and_groups(rule: str, names: tuple[str, ...], accepted: bool) -> None:  # noqa: FBT001
    policy = parse_policy(POLICY.replace("group two 2 w1 w2 w3\nquorum two", rule).encode())
    if accepted:
        assert verify_event(proof_cosigned_by(*names), policy).index == 3
    else:
        with pytest.raises(NotProvenError, match="lacks cosignatures"):
            verify_event(proof_cosigned_by(*names), policy)


def test_a_wrong_cosignature_of_a_witness_in_the_policy_is_refused() -> None:
    note = cosigned(LOG.checkpoint(), "w1.example.org", WITNESSES["w1"])
    later = note.signatures[1]._replace(signature=(5).to_bytes(8, "big") + note.signatures[1].signature[8:])
    for wrong in (later, later._replace(signature=later.signature[:-1]), later._replace(signature=b"\xff" * 72)):
        proof = LOG.proof(3).partition(b"\n\n")[0] + b"\n\n"
        with pytest.raises(NotProvenError, match=r"signature of the witness|cosignature of a witness"):
            verify_event(
                proof + note._replace(signatures=(note.signatures[0], wrong)).to_bytes(), parse_policy(POLICY.encode())
            )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("quorum two\n", ""),
        ("quorum two", "quorum two\nquorum none"),
        ("quorum two", "quorum three"),
        ("quorum two", "quorum"),
        ("quorum two", "quorum two w1"),
        ("group two 2", "group two 4"),
        ("group two 2", "group two 0"),
        ("group two 2", "group two 02"),
        ("group two 2", "group two -1"),
        ("group two 2", "group two some"),
        ("group two 2 w1 w2 w3", "group two 2"),
        ("group two 2 w1 w2 w3", "group two 2 w1 w2 w4"),
        ("group two 2 w1 w2 w3", "group two 2 w1 w2 w2"),
        ("group two 2 w1 w2 w3", "group two 2 w1 w2 w3\ngroup g 1 w1"),
        ("group two 2 w1", "group two 2 none"),
        ("group two", "group w1"),
        ("witness w3", "witness w1"),
        ("witness w3", "witness none"),
        ("witness w3", "Witness w3"),
        (KEYS["w3"], KEYS["w2"]),
        (KEYS["w3"], LOG.vkey),
        (LOG.vkey, KEYS["w3"]),
        (LOG.vkey, LOG.vkey[:-1]),
        ("log ", "# log "),
        ("log ", "log a b c "),
        ("\n", "\r\n"),
        ("# Who", "\x00"),
        ("# Who", "\n" * 1001),
    ],
)
def test_a_malformed_policy_is_refused(old: str, new: str) -> None:
    assert old in POLICY
    with pytest.raises(PolicyError):
        parse_policy(POLICY.replace(old, new, 1).encode())


def test_a_key_alone_is_a_policy_for_its_log() -> None:
    assert verify_event(LOG.proof(0), policy_of_key(LOG.vkey)).checkpoint.origin == ORIGIN
    with pytest.raises(PolicyError):
        policy_of_key(KEYS["w1"])
