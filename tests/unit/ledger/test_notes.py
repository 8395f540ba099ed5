"""Signed notes, checkpoints and keys, with the examples of x/mod and C2SP."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core.errors import InvalidSettingsError
from core.ledger.checkpoints import Checkpoint, MalformedCheckpointError, is_origin, parse_checkpoint
from core.ledger.keys import LedgerKeys, read_keys
from core.ledger.notes import ED25519, MalformedNoteError, parse_note, verifier_key
from tests.support.builders import pem
from tests.unit.ledger.published import BAD_NOTES, ENOCH, PETER, PETER_SEED, PETER_VKEY, SOFA, TEXT

ORIGIN = "audit.example.org/ledger"


def keys_of(*seeds: int, former: tuple[int, ...] = (), origin: str = ORIGIN) -> LedgerKeys:
    signing = [Ed25519PrivateKey.from_private_bytes(bytes([seed] * 32)) for seed in seeds]
    return LedgerKeys(
        origin, signing, [Ed25519PrivateKey.from_private_bytes(bytes([seed] * 32)).public_key() for seed in former]
    )


def test_a_key_signs_as_the_published_one() -> None:
    keys = LedgerKeys("PeterNeumann", [Ed25519PrivateKey.from_private_bytes(PETER_SEED)])
    assert keys.verifier_keys == [PETER_VKEY]
    assert keys.sign(TEXT).to_bytes().decode() == TEXT + "\n" + PETER


@pytest.mark.parametrize("data", [f"{TEXT}\n{PETER}{ENOCH}", SOFA])
def test_a_published_note_is_read_and_written_as_it_is(data: str) -> None:
    assert parse_note(data.encode()).to_bytes() == data.encode()


@pytest.mark.parametrize("data", BAD_NOTES)
def test_a_malformed_note_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedNoteError):
        parse_note(data)


def test_a_note_counts_as_signed_by_a_present_or_a_former_key_alone() -> None:
    text = Checkpoint(ORIGIN, 1, bytes(32)).text
    note = keys_of(1).sign(text)
    assert keys_of(1).signed(note)
    assert keys_of(2, former=(1,)).signed(note)
    assert keys_of(2, former=(1,)).signed(keys_of(1, 2).sign(text))
    assert not keys_of(2).signed(note)
    assert not keys_of(1, origin="audit.example.org/other").signed(note)
    assert not keys_of(1).signed(note._replace(text=Checkpoint(ORIGIN, 2, bytes(32)).text))
    assert not keys_of(1).signed(note._replace(signatures=()))


def test_one_wrong_signature_of_a_known_key_discredits_the_note() -> None:
    note = keys_of(1, 2).sign(Checkpoint(ORIGIN, 1, bytes(32)).text)
    wrong = note.signatures[0]._replace(signature=bytes(64))
    assert not keys_of(1, 2).signed(note._replace(signatures=(note.signatures[1], wrong)))


def test_a_published_checkpoint_is_read_and_written_as_it_is() -> None:
    text = parse_note(SOFA.encode()).text
    checkpoint = parse_checkpoint(text)
    assert checkpoint[:2] == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.text == text


@pytest.mark.parametrize(
    "text",
    [
        "", "\n\n\n", "a\n1\n", f"a\n01\n{'A' * 43}=\n", f"a\n-1\n{'A' * 43}=\n", f"a\n+1\n{'A' * 43}=\n",
        f"a\n1_0\n{'A' * 43}=\n", f"a\n\u0661\n{'A' * 43}=\n", f"a\n 1\n{'A' * 43}=\n", f"a\n1\n{'A' * 43}=",
        f"a\n{10**19}\n{'A' * 43}=\n", f"a\n1\n{'A' * 42}B=\n", f"a\n1\n{'A' * 44}\n", f"a\n1\n{'A' * 40}\n",
        f"a\n1\n{'A' * 43}\n", f"a b\n1\n{'A' * 43}=\n", f"a+b\n1\n{'A' * 43}=\n", f"\n1\n{'A' * 43}=\n",
        f"a\n1\n{'A' * 43}=\nextension\n", f"a\n1\n{'A' * 43}=\n\n", f"a\r\n1\r\n{'A' * 43}=\r\n",
    ],
)  # fmt: skip
def test_a_text_in_any_other_form_is_no_checkpoint(text: str) -> None:
    with pytest.raises(MalformedCheckpointError):
        parse_checkpoint(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b", "a" * 256, "a\tb", "a\x00"])
def test_a_name_that_no_note_can_have_is_no_origin(name: str) -> None:
    assert not is_origin(name)


def test_a_key_file_has_signing_keys_and_former_ones(tmp_path: Path) -> None:
    new, old = (Ed25519PrivateKey.from_private_bytes(bytes([seed] * 32)) for seed in (1, 2))
    file = tmp_path / "keys.pem"
    file.write_bytes(pem(new).encode() + b"a comment\n" + pem(old.public_key()).encode())
    keys = read_keys(ORIGIN, file)
    assert keys.verifier_keys == [
        verifier_key(ORIGIN, ED25519, key.public_key().public_bytes_raw()) for key in (new, old)
    ]
    assert len(keys.sign("text\n").signatures) == 1


@pytest.mark.parametrize(
    "content",
    [
        "",
        "no key",
        pem(Ed25519PrivateKey.generate().public_key()),
        pem(generate_private_key(SECP256R1())),
        pem(Ed25519PrivateKey.generate()).replace("M", "N"),
    ],
)
def test_a_key_file_without_a_usable_private_key_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "keys.pem"
    file.write_text(content)
    with pytest.raises(InvalidSettingsError, match="AUDIT_LOG_LEDGER_KEY_FILE must have Ed25519 keys"):
        read_keys(ORIGIN, file)


def test_a_missing_key_file_is_named_by_its_setting(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettingsError, match="AUDIT_LOG_LEDGER_KEY_FILE cannot be read"):
        read_keys(ORIGIN, tmp_path / "keys.pem")
