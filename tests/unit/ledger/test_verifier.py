"""The verifier against the prover, and every kind of forgery that it refuses."""

import base64
import json
import re
from collections.abc import Callable
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_log_client.ledger import NotProvenError, policy_of_key, verify_consistency, verify_event
from core.ledger.checkpoints import Checkpoint
from core.ledger.entries import entry, month_of
from core.ledger.notes import Note, Signature
from core.ledger.proof_files import proof_file
from core.ledger.tree import leaf_hash
from tests.unit.ledger.sample_log import ORIGIN, SampleLog

LOG = SampleLog()
POLICY = policy_of_key(LOG.vkey)
INDEX = 5
PROOF = LOG.proof(INDEX)
DATA = LOG.data(INDEX)
OTHER = SampleLog(seed=2)
FORKED = SampleLog(salt=8)


@settings(max_examples=50)
@given(st.data())
def test_every_event_of_every_size_is_proven(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(LOG.events)))
    index = data.draw(st.integers(0, size - 1))
    proven = verify_event(LOG.proof(index, size), POLICY, data=LOG.data(index))
    event = LOG.events[index]
    assert (proven.index, proven.checkpoint.size, proven.checkpoint.origin) == (index, size, ORIGIN)
    assert proven.head.event_id == event.event_id
    assert proven.head.received_at == "2026-01-31T12:00:00.123Z"
    assert proven.event_data == event.event_data


def test_an_event_is_proven_without_its_data() -> None:
    proven = verify_event(PROOF, POLICY)
    assert proven.event_data is None
    assert proven.head.event_type == "user.login"


@given(st.data())
def test_a_proof_with_any_bit_flipped_is_refused(data: st.DataObject) -> None:
    bit = data.draw(st.integers(0, 8 * len(PROOF) - 1))
    flipped = bytearray(PROOF)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(NotProvenError):
        verify_event(bytes(flipped), POLICY)


@given(st.data())
def test_a_data_file_with_any_bit_flipped_is_refused(data: st.DataObject) -> None:
    bit = data.draw(st.integers(0, 8 * len(DATA) - 1))
    flipped = bytearray(DATA)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(NotProvenError, match="data file is not that of the event"):
        verify_event(PROOF, POLICY, data=bytes(flipped))


def replaced(old: str, new: str) -> Callable[[bytes], bytes]:
    def replace(proof: bytes) -> bytes:
        changed = re.sub(old, new, proof.decode(), count=1, flags=re.MULTILINE)
        assert changed != proof.decode()
        return changed.encode()

    return replace


def with_note(change: Callable[[Note], Note | bytes]) -> Callable[[bytes], bytes]:
    def replace(proof: bytes) -> bytes:
        changed = change(LOG.checkpoint())
        return proof.partition(b"\n\n")[0] + b"\n\n" + (changed if isinstance(changed, bytes) else changed.to_bytes())

    return replace


def resigned(text: str) -> Callable[[bytes], bytes]:
    """A checkpoint with another text, which the log itself signed."""
    return with_note(lambda _: LOG.keys.sign(text))


def swap_hashes(proof: bytes) -> bytes:
    lines = proof.decode().split("\n")
    lines[3], lines[4] = lines[4], lines[3]
    return "\n".join(lines).encode()


def with_head(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def replace(proof: bytes) -> bytes:
        lines = proof.decode().split("\n")
        lines[1] = "extra " + base64.b64encode(change(base64.b64decode(lines[1][6:]))).decode()
        return "\n".join(lines).encode()

    return replace


ROOT = base64.b64encode(LOG.tree.root(11)).decode()
SIGNATURE = LOG.checkpoint().signatures[0]
HASH = "^[A-Za-z0-9+/]{43}=$"
UNKNOWN = Signature("other.example.org", b"abcd", bytes(64))


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda proof: proof[:-1], id="cut by a byte"),
        pytest.param(lambda proof: proof + b"\n", id="longer by a byte"),
        pytest.param(lambda proof: proof.partition(b"\n\n")[0], id="no checkpoint"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: b"\n\n", id="empty lines"),
        pytest.param(lambda _: b"x" * (1 << 20 | 1), id="too large"),
        pytest.param(replaced("@v1", "@v2"), id="other version"),
        pytest.param(replaced("^extra .*\n", ""), id="no head"),
        pytest.param(replaced("^extra ", "extra  "), id="two spaces"),
        pytest.param(replaced("^extra ", "Extra "), id="other field"),
        pytest.param(replaced("^extra (.*)\n", r"extra \1\nextra \1\n"), id="two heads"),
        pytest.param(replaced("^index .*\n", ""), id="no index"),
        pytest.param(replaced("^index 5$", "index 4"), id="index less one"),
        pytest.param(replaced("^index 5$", "index 6"), id="index plus one"),
        pytest.param(replaced("^index 5$", "index 11"), id="index of the size"),
        pytest.param(replaced("^index 5$", f"index {2**63}"), id="huge index"),
        pytest.param(replaced("^index 5$", f"index {10**19}"), id="longer index"),
        pytest.param(replaced("^index 5$", "index -5"), id="negative index"),
        pytest.param(replaced("^index 5$", "index +5"), id="signed index"),
        pytest.param(replaced("^index 5$", "index 05"), id="leading zero"),
        pytest.param(replaced("^index 5$", "index 5 "), id="trailing space"),
        pytest.param(replaced("^index 5$", "index 0x5"), id="hexadecimal index"),
        pytest.param(replaced("^index 5$", "index \u0665"), id="arabic index"),
        pytest.param(replaced("\n", "\r\n"), id="CRLF"),
        pytest.param(replaced(f"{HASH}\n", ""), id="a hash less"),
        pytest.param(replaced(f"({HASH})", r"\1\n\1"), id="a hash more"),
        pytest.param(replaced(f"({HASH})\n", "\\1\n" * 70), id="70 hashes"),
        pytest.param(replaced(HASH, "A" * 43 + "="), id="zero hash"),
        pytest.param(replaced(HASH, "A" * 40), id="short hash"),
        pytest.param(replaced(HASH, "A" * 88), id="long hash"),
        pytest.param(replaced("^([A-Za-z0-9+/]{42})[A-Za-z0-9+/]=$", r"\1B="), id="non-canonical hash"),
        pytest.param(replaced("^([A-Za-z0-9+/]{43})=$", r"\1"), id="hash without padding"),
        pytest.param(swap_hashes, id="two hashes swapped"),
        pytest.param(replaced("\n\n", "\n\n\n"), id="two empty lines"),
        pytest.param(with_note(lambda note: note.text.encode()), id="no signature"),
        pytest.param(with_note(lambda note: note.text.encode() + b"\n"), id="no signature line"),
        pytest.param(with_note(lambda note: note._replace(signatures=(UNKNOWN,))), id="foreign signature"),
        pytest.param(with_note(lambda note: note._replace(signatures=note.signatures * 101)), id="101 signatures"),
        pytest.param(with_note(lambda _: OTHER.checkpoint()), id="other key"),
        pytest.param(with_note(lambda _: FORKED.checkpoint()), id="forked tree"),
        pytest.param(with_note(lambda _: LOG.checkpoint(10)), id="smaller checkpoint"),
        pytest.param(with_note(lambda _: LOG.checkpoint(4)), id="checkpoint before the event"),
        pytest.param(
            with_note(lambda note: note._replace(signatures=(SIGNATURE, SIGNATURE._replace(signature=bytes(64))))),
            id="a wrong signature next to a right one",
        ),
        pytest.param(
            with_note(lambda note: note._replace(signatures=(SIGNATURE._replace(name="other.example.org"),))),
            id="key of another name",
        ),
        pytest.param(
            with_note(lambda note: note._replace(signatures=(SIGNATURE._replace(signature=bytes(63)),))),
            id="short signature",
        ),
        pytest.param(resigned(f"other.example.org\n11\n{ROOT}\n"), id="other origin"),
        pytest.param(replaced("^11$", "12"), id="size plus one"),
        pytest.param(replaced("^11$", "10"), id="size less one"),
        pytest.param(resigned(f"{ORIGIN}\n17\n{ROOT}\n"), id="size of a tree with other paths"),
        pytest.param(resigned(f"{ORIGIN}\n0\n{ROOT}\n"), id="size zero"),
        pytest.param(resigned(f"{ORIGIN}\n011\n{ROOT}\n"), id="size with a leading zero"),
        pytest.param(resigned(f"{ORIGIN}\n1_1\n{ROOT}\n"), id="size with an underscore"),
        pytest.param(resigned(f"{ORIGIN}\n11\n{ROOT}\nextension\n"), id="extension line"),
        pytest.param(resigned(f"{ORIGIN}\n11\n{ROOT[:-1]}\n"), id="root without padding"),
        pytest.param(resigned(f"{ORIGIN}\n11\n"), id="no root"),
        pytest.param(resigned(f"{ORIGIN}\n"), id="no size"),
        pytest.param(with_head(lambda head: head[:-1]), id="head cut"),
        pytest.param(with_head(lambda head: head + b"\n"), id="head with a newline"),
        pytest.param(with_head(lambda head: head.replace(b"head/1", b"head/2")), id="head of another version"),
        pytest.param(with_head(lambda head: head.replace(b"user.login", b"user.logout")), id="other type"),
        pytest.param(with_head(lambda head: head.replace(b'"customer_id":42', b'"customer_id":43')), id="customer"),
        pytest.param(with_head(lambda head: head.replace(b":42", b":42.0")), id="customer as a double"),
        pytest.param(with_head(lambda head: head.replace(b":42", b": 42")), id="white space"),
        pytest.param(with_head(lambda head: head.replace(b"{", b'{"a":1,')), id="member more"),
        pytest.param(with_head(lambda head: head.replace(b"{", b'{"customer_id":43,')), id="member twice"),
        pytest.param(with_head(lambda head: head.replace(b"{", b"[").replace(b"}", b"]")), id="no object"),
        pytest.param(with_head(lambda _: b""), id="empty head"),
        pytest.param(with_head(lambda _: b"\xff"), id="head of other bytes"),
    ],
)
def test_a_forged_proof_is_refused(forge: Callable[[bytes], bytes]) -> None:
    with pytest.raises(NotProvenError):
        verify_event(forge(PROOF), POLICY)


@pytest.mark.parametrize(
    "member",
    [
        {"customer_id": True}, {"customer_id": "42"}, {"customer_id": 2**63}, {"timestamp_utc": -1},
        {"timestamp_utc": 253402300800}, {"event_id": "x"}, {"event_id": None}, {"data": "00"}, {"event_type": 1},
        {"received_at": "2026-01-31T12:00:00Z"}, {"recorded_by": ["x"]},
    ],
)  # fmt: skip
def test_a_head_that_is_in_the_tree_but_no_head_of_an_event_is_refused(member: dict[str, object]) -> None:
    *start, text = base64.b64decode(PROOF.decode().split("\n")[1][6:]).split(b"\n")
    head = {**json.loads(text), **member}
    changed = json.dumps(head, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    document = b"\n".join([*start, changed])
    root = leaf_hash(entry(month_of(LOG.events[INDEX].timestamp_utc), sha256(document).digest()))
    note = LOG.keys.sign(Checkpoint(ORIGIN, 1, root).text).to_bytes()
    with pytest.raises(NotProvenError, match="head of the event"):
        verify_event(proof_file(0, [], note, document), POLICY)


def test_a_proof_of_another_event_is_refused() -> None:
    assert verify_event(PROOF, POLICY, event_id=LOG.events[INDEX].event_id.upper()).index == INDEX
    with pytest.raises(NotProvenError, match="another event"):
        verify_event(PROOF, POLICY, event_id=LOG.events[INDEX + 1].event_id)


def test_data_of_another_event_is_refused() -> None:
    with pytest.raises(NotProvenError, match="data file is not that of the event"):
        verify_event(PROOF, POLICY, data=LOG.data(INDEX + 1))


def test_signatures_of_unknown_keys_are_ignored() -> None:
    namesake = SIGNATURE._replace(key_id=b"abcd")
    note = LOG.checkpoint()._replace(signatures=(UNKNOWN, namesake, SIGNATURE, SIGNATURE, *[UNKNOWN] * 20))
    assert verify_event(with_note(lambda _: note)(PROOF), POLICY).index == INDEX


@settings(max_examples=50)
@given(st.data())
def test_every_checkpoint_is_the_beginning_of_every_later_one(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, len(LOG.events)))
    old = data.draw(st.integers(1, new))
    before, after = verify_consistency(LOG.checkpoint(old).to_bytes(), LOG.consistency(old, new), POLICY)
    assert (before.size, after.size) == (old, new)


@pytest.mark.parametrize(
    ("old", "forge"),
    [
        pytest.param(FORKED.checkpoint(6), lambda proof: proof, id="forked beginning"),
        pytest.param(LOG.checkpoint(5), lambda proof: proof, id="other size"),
        pytest.param(OTHER.checkpoint(6), lambda proof: proof, id="other key"),
        pytest.param(LOG.checkpoint(6), replaced("^old 6$", "old 7"), id="old plus one"),
        pytest.param(LOG.checkpoint(6), replaced("^old 6$", "old 06"), id="leading zero"),
        pytest.param(LOG.checkpoint(6), replaced("^old 6\n", ""), id="no size"),
        pytest.param(LOG.checkpoint(6), replaced(f"{HASH}\n", ""), id="a hash less"),
        pytest.param(LOG.checkpoint(6), replaced(f"({HASH})", r"\1\n\1"), id="a hash more"),
        pytest.param(LOG.checkpoint(6), replaced(HASH, "A" * 43 + "="), id="zero hash"),
        pytest.param(LOG.checkpoint(0), lambda _: b"old 0\n\n" + LOG.checkpoint().to_bytes(), id="empty beginning"),
        pytest.param(LOG.checkpoint(11), lambda _: b"old 11\n\n" + FORKED.checkpoint().to_bytes(), id="fork"),
        pytest.param(LOG.checkpoint(11), lambda _: b"old 11\n\n" + LOG.checkpoint(6).to_bytes(), id="smaller"),
    ],
)
def test_a_forged_consistency_proof_is_refused(old: Note, forge: Callable[[bytes], bytes]) -> None:
    with pytest.raises(NotProvenError):
        verify_consistency(old.to_bytes(), forge(LOG.consistency(6)), POLICY)


def test_two_logs_are_not_consistent_with_each_other() -> None:
    other = SampleLog(origin="audit.example.org/other")
    policy = POLICY._replace(logs=(*POLICY.logs, *policy_of_key(other.vkey).logs))
    with pytest.raises(NotProvenError, match="two different logs"):
        verify_consistency(other.checkpoint(6).to_bytes(), LOG.consistency(6), policy)
