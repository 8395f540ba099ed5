"""The function that integrates and signs on AWS, with keys in KMS and the guard in S3."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import delete

from audit_log_client.ledger import parse_policy, verify_event
from core.aws.ledger_guard import S3Guard
from core.aws.ledger_keys import KmsLedgerKeys
from core.errors import GuardUnavailableError, LedgerForkError, SecretUnavailableError
from core.ledger.keys import LedgerKeys
from core.ledger.notes import Signature, parse_note
from core.settings import Settings
from core.stores.schema import ledger_batches, ledger_checkpoints
from core.wiring import Services
from functions.operations import ledger
from tests.support import databases
from tests.support.aws_ledger import S3, Kms
from tests.support.builders import event

ORIGIN = "audit.example.org/ledger"
KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2)]


class Stage:
    """A stage with a database, and what it uses of AWS."""

    def __init__(self, directory: Path) -> None:
        settings = Settings(database_url=f"sqlite:///{directory / 'events.db'}", ledger_origin=ORIGIN)
        self.services = Services(settings)
        databases.copy_migrated(self.services.database.engine.url)
        self.kms, self.s3 = Kms(one=KEYS[0], two=KEYS[1]), S3()
        self.keys = "one"

    def run(self) -> dict[str, int | None]:
        """Call the function."""
        environ = {ledger.KEYS: self.keys, ledger.BUCKET: "guard"}
        return ledger.integrate(self.services, environ, {"kms": self.kms, "s3": self.s3}.__getitem__)

    def store(self, *numbers: int) -> None:
        """Store events."""
        self.services.database.events.add([event(number) for number in numbers])

    def prove(self, number: int) -> int:
        """The size of the ledger under which an event is proven, by the published keys."""
        proofs = self.services.proofs
        sealed = proofs.find(event(number).event_id)
        assert sealed
        return verify_event(proofs.prove(sealed), parse_policy(proofs.policy())).checkpoint.size


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.services.close()


def test_events_are_integrated_signed_and_proven(stage: Stage) -> None:
    stage.store(1, 2)
    assert stage.run() == {"integrated": 2, "signed": 2}
    assert stage.run() == {"integrated": 0, "signed": None}
    stage.store(3)
    assert stage.run() == {"integrated": 1, "signed": 3}
    assert [stage.prove(number) for number in (1, 2, 3)] == [3, 3, 3]
    assert [note.split(b"\n")[1] for note in stage.s3.versions] == [b"2", b"3"]


def test_without_keys_events_are_integrated_alone(stage: Stage) -> None:
    stage.store(1)
    assert ledger.integrate(stage.services, {}) == {"integrated": 1, "signed": None}


def test_a_new_key_signs_beside_the_former_one_and_then_alone(stage: Stage) -> None:
    for number, keys in enumerate(("one", "two one", "two"), start=1):
        stage.keys = keys
        stage.store(number)
        assert stage.run()["signed"] == number
        assert stage.prove(1) == number


def test_a_database_that_lost_signed_entries_is_not_signed(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.store(1)
    stage.store(2)
    stage.run()
    with stage.services.database.engine.begin() as connection:
        connection.execute(delete(ledger_checkpoints))
        connection.execute(delete(ledger_batches).where(ledger_batches.c.first_index == 1))
        connection.execute(ledger_batches.update().values(first_index=None))
    caplog.set_level(logging.ERROR)
    with pytest.raises(LedgerForkError, match="lost entries"):
        stage.run()
    assert [record.message for record in caplog.records] == ["ledger_forked"]
    assert len(stage.s3.versions) == 1


def test_unreachable_keys_and_guards_sign_nothing_and_leave_the_indices(stage: Stage) -> None:
    stage.store(1)
    stage.kms.is_reachable = False
    with pytest.raises(SecretUnavailableError, match="KMS"):
        stage.run()
    stage.kms.is_reachable, stage.s3.refuses = True, "AccessDenied"
    with pytest.raises(GuardUnavailableError, match="guard"):
        stage.run()
    stage.s3.refuses = None
    assert stage.run() == {"integrated": 0, "signed": 1}


def test_a_guard_is_advanced_only_by_who_knows_its_checkpoint() -> None:
    s3 = S3()
    guard, other = S3Guard("guard", s3), S3Guard("guard", s3)
    guard.advance(None, b"first")
    for expected in (None, b"another"):
        with pytest.raises(GuardUnavailableError, match="Another process"):
            other.advance(expected, b"second")
    other.advance(b"first", b"second")
    assert (guard.latest(), s3.versions) == (b"second", [b"first", b"second"])


def test_kms_signs_as_a_key_in_a_file_and_recognizes_its_notes() -> None:
    in_kms = KmsLedgerKeys(ORIGIN, ["one", "two"], Kms(one=KEYS[0], two=KEYS[1]))
    in_file = LedgerKeys(ORIGIN, KEYS)
    note = in_kms.sign(f"{ORIGIN}\n1\n{'A' * 43}=\n")
    assert note == in_file.sign(note.text)
    assert in_kms.public_keys == in_file.public_keys
    assert in_kms.signed(parse_note(note.to_bytes()))
    first, second = note.signatures
    wrong = Signature(first.name, first.key_id, second.signature)
    assert not in_kms.signed(note._replace(signatures=(wrong, second)))
    assert not in_kms.signed(note._replace(signatures=()))
    assert not KmsLedgerKeys("other", ["one"], Kms(one=KEYS[0])).signed(note)


def test_a_key_of_another_kind_is_refused() -> None:
    class Other(Kms):
        def get_public_key(self, KeyId: str) -> dict[str, bytes]:  # noqa: N803 - AWS's name
            return {"PublicKey": b"\x30" + super().get_public_key(KeyId)["PublicKey"][1:] + b"\0"}

    with pytest.raises(SecretUnavailableError, match="Ed25519"):
        _ = KmsLedgerKeys(ORIGIN, ["one"], Other(one=KEYS[0])).public_keys
