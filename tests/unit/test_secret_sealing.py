"""Secrets of streams at rest, and the key that is made for them."""

import os
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from core.auth.sealing import SecretSeal, secret_seal
from core.errors import InvalidSettingsError, SecretUnavailableError
from core.settings import Settings
from local_runner.bootstrap import SECRETS_KEY_FILE_NAME, load_secrets_key, prepare

OLD = "old-Xq7vKp2mZr9tWb4nYc6hJd8sLf3g"
NEW = "new-Rt5wEq8uIo1pAs3dFg6hJk9lZx2c"
SECRETS = {"token": "canary-token-ü", "headers": {"X-Key": "canary-header"}}


def test_secrets_are_opened_by_the_stream_that_they_were_sealed_for() -> None:
    seal = SecretSeal([NEW])
    sealed = seal.seal("stream-1", SECRETS)

    assert seal.open("stream-1", sealed) == SECRETS
    assert "canary" not in sealed
    assert sealed.isascii()
    assert seal.seal("stream-1", SECRETS) != sealed


def test_secrets_of_another_row_are_refused() -> None:
    seal = SecretSeal([NEW])
    with pytest.raises(SecretUnavailableError) as refused:
        seal.open("stream-2", seal.seal("stream-1", SECRETS))
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    "sealed",
    ["", "plain", "gAAAAA==", Fernet(Fernet.generate_key()).encrypt(b"{}").decode()],
    ids=["empty", "plain", "short", "another key"],
)
def test_a_text_that_no_key_has_sealed_is_refused(sealed: str) -> None:
    with pytest.raises(SecretUnavailableError, match="AUDIT_LOG_SECRETS_KEY"):
        SecretSeal([NEW, OLD]).open("stream-1", sealed)


def test_an_altered_text_is_refused() -> None:
    seal = SecretSeal([NEW])
    sealed = seal.seal("stream-1", SECRETS)
    for place in range(0, len(sealed) - 2, 7):
        altered = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
        with pytest.raises(SecretUnavailableError):
            seal.open("stream-1", altered)


def test_after_a_rotation_the_first_key_seals_and_all_open() -> None:
    sealed = SecretSeal([OLD]).seal("stream-1", SECRETS)
    both = SecretSeal([NEW, OLD])

    assert both.open("stream-1", sealed) == SECRETS
    assert SecretSeal([NEW]).open("stream-1", both.seal("stream-1", SECRETS)) == SECRETS

    resealed = both.reseal("stream-1", sealed)
    assert SecretSeal([NEW]).open("stream-1", resealed) == SECRETS
    with pytest.raises(SecretUnavailableError):
        SecretSeal([OLD]).open("stream-1", resealed)
    with pytest.raises(SecretUnavailableError):
        both.reseal("stream-2", sealed)


def test_the_keys_are_those_of_the_settings() -> None:
    settings = Settings.from_environ({"AUDIT_LOG_SECRETS_KEY": f"{NEW} {OLD}"})
    seal = secret_seal(settings.secrets_key)
    assert seal is not None
    assert seal.open("stream-1", SecretSeal([OLD]).seal("stream-1", SECRETS)) == SECRETS
    assert NEW not in f"{settings!r} {seal!r} {vars(seal)!r}"
    assert secret_seal(Settings().secrets_key) is None


def test_a_weak_key_is_refused_without_showing_it() -> None:
    with pytest.raises(InvalidSettingsError, match="AUDIT_LOG_SECRETS_KEY: must have at least 32 bytes") as refused:
        Settings.from_environ({"AUDIT_LOG_SECRETS_KEY": "hunter2"})
    assert "hunter2" not in str(refused.value)


def test_with_a_queue_in_the_process_a_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    first = prepare(Settings(data_dir=tmp_path)).secrets_key
    assert first is not None
    path = tmp_path / SECRETS_KEY_FILE_NAME

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert prepare(Settings(data_dir=tmp_path)).secrets_key == first
    assert load_secrets_key(Settings(data_dir=tmp_path)).secrets_key == first
    assert path.read_text().strip() == first.get_secret_value()


def test_a_command_that_reads_the_key_makes_none(tmp_path: Path) -> None:
    assert load_secrets_key(Settings(data_dir=tmp_path)).secrets_key is None
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - with hidden files


def test_with_a_broker_hosts_share_a_key_and_none_is_made(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {"data_dir": tmp_path, "queue_url": "amqp://127.0.0.1/", "jwt_secret": NEW, "secrets_key": OLD}
    )
    assert prepare(settings).secrets_key == settings.secrets_key
    assert prepare(settings.model_copy(update={"secrets_key": None})).secrets_key is None
    assert not (tmp_path / SECRETS_KEY_FILE_NAME).exists()


@pytest.mark.parametrize("content", [b"", b"too-short\n", b"\xff" * 40])
def test_a_file_that_holds_no_key_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / SECRETS_KEY_FILE_NAME).write_bytes(content)
    with pytest.raises(InvalidSettingsError, match=SECRETS_KEY_FILE_NAME) as refused:
        load_secrets_key(Settings(data_dir=tmp_path))
    assert "too-short" not in str(refused.value)
