"""The secret that signs tokens when none is configured: made once and kept beside the data."""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from core.errors import InvalidSettingsError
from core.settings import MIN_SECRET_BYTES, Settings

FILE_NAME: Final = "jwt-secret"


def with_secret(settings: Settings) -> Settings:
    """`settings` with a secret: its own, or the one in the data directory, which is made when it is not there.

    Raises:
        InvalidSettingsError: the data directory cannot be made or written, or the file is no secret.
    """
    if settings.jwt_secret is not None or settings.jwt_key_file is not None:
        return settings
    make_data_dir(settings)
    path = settings.data_dir / FILE_NAME
    try:
        with contextlib.suppress(FileExistsError):
            _create(path, secrets.token_urlsafe(MIN_SECRET_BYTES))
        secret = path.read_bytes().strip()
    except OSError as exc:
        raise InvalidSettingsError(
            f"AUDIT_LOG_DATA_DIR: {path} cannot be made or read ({exc.strerror}); name a directory that can be written"
        ) from None
    if len(secret) < MIN_SECRET_BYTES or not secret.isascii():
        raise InvalidSettingsError(
            f"{path} holds no secret of {MIN_SECRET_BYTES} ASCII characters; remove it to get a new one"
        )
    return settings.model_copy(update={"jwt_secret": SecretStr(secret.decode())})


def make_data_dir(settings: Settings) -> None:
    """Make the data directory, for its owner alone, if it is not there.

    Raises:
        InvalidSettingsError: it cannot be made.
    """
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise InvalidSettingsError(
            f"AUDIT_LOG_DATA_DIR: {settings.data_dir} cannot be made ({exc.strerror}); "
            "name a directory that can be written"
        ) from None


def _create(path: Path, secret: str) -> None:
    """Write the file at once and whole, for its owner alone: another process may start at the same time.

    Raises:
        FileExistsError: another process was first.
    """
    draft = path.with_name(f".{FILE_NAME}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secret + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink()
