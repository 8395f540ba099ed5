"""The thread that signs, in the pipeline of a service: its key, its origin, and its failures."""

import logging
import re
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import delete
from typer.testing import CliRunner

from audit_log_client.ledger import parse_policy, verify_event
from core.domain.queries import EventFilter, PageRequest
from core.errors import InvalidSettingsError, LedgerForkError, ProofNotFoundError
from core.settings import Settings
from core.stores.schema import ledger_batches, ledger_checkpoints
from local_runner.background.signer import open_signer
from local_runner.cli.main import app
from local_runner.pipeline import Pipeline
from tests.support.builders import event, pem
from tests.support.pipelines import start_pipeline
from tests.support.service import environment
from tests.support.waiting import until


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, ledger_seconds=1)


def is_proven(pipeline: Pipeline, event_id: str) -> bool:
    """Whether a proof of the event exists and is valid."""
    proofs = pipeline.services.proofs
    try:
        sealed = proofs.find(event_id)
        return sealed is not None and bool(verify_event(proofs.prove(sealed), parse_policy(proofs.policy())).head)
    except ProofNotFoundError:
        return False


def test_accepted_events_are_proven_after_a_while_and_across_a_restart(settings: Settings, tmp_path: Path) -> None:
    origins = set()
    for number in (1, 2):
        pipeline = start_pipeline(settings)
        try:
            pipeline.services.acceptance.publish([event(number)])
            until(lambda: is_proven(pipeline, event(number).event_id))  # noqa: B023 - called in the loop
            origins.add(pipeline.services.proofs.checkpoint().note.split(b"\n")[0])
            until(lambda: pipeline.services.checks["signing"]().get("signed") == number)  # noqa: B023
        finally:
            pipeline.close()
    (origin,) = origins
    assert re.fullmatch(rb"localhost/audit-log/[0-9a-f]{12}", origin)
    assert stat.S_IMODE((tmp_path / "ledger-key.pem").stat().st_mode) == 0o600
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "ledger").iterdir()} == {0o600}


def test_a_ledger_that_was_changed_is_not_signed_and_its_service_goes_on(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = start_pipeline(settings)
    try:
        pipeline.services.acceptance.publish([event(1)])
        until(lambda: is_proven(pipeline, event(1).event_id))
        with pipeline.services.database.engine.begin() as connection:
            for table in (ledger_batches, ledger_checkpoints):
                connection.execute(delete(table))
        pipeline.services.acceptance.publish([event(2)])
        with caplog.at_level(logging.INFO):
            until(lambda: "ledger_forked" in [record.msg for record in caplog.records])
        with pytest.raises(LedgerForkError, match="other entries than those that were signed"):
            pipeline.services.checks["signing"]()
        assert pipeline.services.reader.get(event(2).event_id) is not None
        assert not is_proven(pipeline, event(2).event_id)
    finally:
        pipeline.close()


def test_another_origin_than_that_of_the_database_is_refused_at_the_start(settings: Settings, tmp_path: Path) -> None:
    named = settings.model_copy(update={"ledger_origin": "audit.example.org/ledger"})
    start_pipeline(named).close()
    with pytest.raises(InvalidSettingsError, match=r"AUDIT_LOG_LEDGER_ORIGIN: .* is audit\.example\.org/ledger"):
        start_pipeline(settings.model_copy(update={"ledger_origin": "other.example.org"}))
    start_pipeline(settings).close()
    assert (tmp_path / "ledger-key.pem").exists()


def test_a_ledger_that_is_off_has_no_key_and_no_proofs(settings: Settings, tmp_path: Path) -> None:
    pipeline = start_pipeline(settings.model_copy(update={"ledger": "off"}))
    try:
        pipeline.services.acceptance.publish([event(1)])
        until(lambda: pipeline.services.checks["ledger"]()["size"] == 1)
        assert pipeline.services.checks["signing"]() == {}
        with pytest.raises(ProofNotFoundError, match="no ledger"):
            _ = pipeline.services.proofs
    finally:
        pipeline.close()
    assert not (tmp_path / "ledger-key.pem").exists()


def test_on_a_broker_only_the_process_with_the_key_signs(settings: Settings, tmp_path: Path) -> None:
    pipeline = start_pipeline(settings.model_copy(update={"ledger_origin": "audit.example.org/ledger"}))
    pipeline.close()
    database = pipeline.services.database
    key = tmp_path / "key.pem"
    key.write_text(pem(Ed25519PrivateKey.generate()))
    broker = {"queue_url": "amqp://localhost", "data_dir": tmp_path / "other"}
    assert open_signer(settings.model_copy(update=broker), database) is None
    named = {**broker, "ledger_origin": "audit.example.org/ledger", "ledger_key_file": key}
    assert open_signer(settings.model_copy(update=named), database) is not None


def test_a_key_needs_the_name_that_it_signs_for() -> None:
    with pytest.raises(InvalidSettingsError, match="AUDIT_LOG_LEDGER_KEY_FILE needs AUDIT_LOG_LEDGER_ORIGIN"):
        Settings.from_environ({"AUDIT_LOG_LEDGER_KEY_FILE": "key.pem"})
    with pytest.raises(InvalidSettingsError, match="AUDIT_LOG_LEDGER_ORIGIN: must be a name"):
        Settings.from_environ({"AUDIT_LOG_LEDGER_ORIGIN": "an origin"})


def test_after_a_restore_that_lost_entries_the_ledger_continues_under_another_origin(
    settings: Settings, tmp_path: Path
) -> None:
    pipeline = start_pipeline(settings)
    pipeline.services.acceptance.publish([event(1)])
    until(lambda: is_proven(pipeline, event(1).event_id))
    former = pipeline.services.proofs
    sealed = former.find(event(1).event_id)
    assert sealed is not None
    proof, policy = former.prove(sealed), parse_policy(former.policy())
    with pipeline.services.database.engine.begin() as connection:
        for table in (ledger_batches, ledger_checkpoints):
            connection.execute(delete(table))
    pipeline.close()
    environ = environment(tmp_path)
    arguments = ["ledger", "restart", "--origin", "audit.example.org/second", "--reason", "restored a backup"]
    for status in (0, 1):  # an origin is used once
        assert CliRunner().invoke(app, arguments, env=environ).exit_code == status
    named = settings.model_copy(update={"ledger_origin": "audit.example.org/second"})
    pipeline = start_pipeline(named)
    try:
        pipeline.services.acceptance.publish([event(2)])
        until(lambda: is_proven(pipeline, event(2).event_id))
        assert pipeline.services.proofs.checkpoint().note.startswith(b"audit.example.org/second\n")
        (record,) = pipeline.services.reader.list_page(
            EventFilter(event_types=("audit-log.ledger.restarted",)), PageRequest()
        ).events
        assert record.event_data["reason"] == "restored a backup"
        assert is_proven(pipeline, record.event_id)
    finally:
        pipeline.close()
    assert verify_event(proof, policy).index == 0
    assert len(list(tmp_path.glob("ledger-until-*/last"))) == 1
