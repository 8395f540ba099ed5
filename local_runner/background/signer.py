"""The signer: a thread that signs the newest checkpoint of the ledger every few seconds."""

import contextlib
import logging
import secrets
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from core.errors import AuditLogError, GuardUnavailableError, LedgerForkError, StoreUnavailableError
from core.ledger.keys import generate_key, read_keys
from core.settings import Settings
from core.stores.database import Database
from core.stores.ledger.adoption import Adoption
from core.stores.ledger.file_guard import FileGuard
from core.stores.ledger.identity import fix_origin, publish_keys
from core.stores.ledger.signing import CheckpointSigner
from local_runner.background.rounds import Rounds
from local_runner.bootstrap import create_private_file, make_data_dir

GUARD_NAME: Final = "ledger"
KEY_NAME: Final = "ledger-key.pem"

_RANDOM_BYTES: Final = 6

_log = logging.getLogger(__name__)


def open_signer(settings: Settings, database: Database) -> CheckpointSigner | None:
    """Return the signer that the settings describe, with its key, which is generated if needed; None if there is none.

    The database is at the current schema.

    Raises:
        InvalidSettingsError: the key cannot be used, or the ledger has another origin.
        StoreUnavailableError: the database is unreachable.
    """
    file = _key_file(settings) if signs_here(settings) else None
    if file is None:
        return None
    if settings.ledger_key_file is None and find_spec("cryptography") is None:
        action = "To sign the ledger, install the extra `keys`; to have none, set AUDIT_LOG_LEDGER=off."
        _log.warning("ledger_unsigned", extra={"action": action})
        return None
    if settings.ledger_key_file is None:
        _generate(file)
    default = f"localhost/audit-log/{secrets.token_hex(_RANDOM_BYTES)}"
    keys = read_keys(fix_origin(database.engine, settings.ledger_origin, default), file)
    publish_keys(database.engine, keys)
    return CheckpointSigner(database.engine, keys, FileGuard(settings.data_dir / GUARD_NAME))


def signs_here(settings: Settings) -> bool:
    """Whether a process with these settings signs checkpoints."""
    return settings.has_ledger and (settings.queue_in_process or settings.ledger_key_file is not None)


def _key_file(settings: Settings) -> Path | None:
    if settings.ledger_key_file or not settings.queue_in_process:
        return settings.ledger_key_file
    make_data_dir(settings)
    return settings.data_dir / KEY_NAME


def _generate(file: Path) -> None:
    if not file.exists():
        with contextlib.suppress(FileExistsError):
            create_private_file(file, generate_key().strip())


class Signer:
    """Signs in `rounds`. No failure ends them; /ready shows the last one."""

    def __init__(self, settings: Settings, database: Database) -> None:
        """Open the signer, if the settings describe one.

        Raises:
            InvalidSettingsError: see `open_signer`.
        """
        self._open = partial(open_signer, settings, database)
        self._database = database
        self._failure: AuditLogError | None = None
        self._signed = 0
        self._signer: CheckpointSigner | None = None
        self.rounds: Final = Rounds("signer", settings.ledger_seconds, self._sign)
        with contextlib.suppress(StoreUnavailableError):  # then a round tries again
            self._signer = self._open()

    def check(self) -> dict[str, object]:
        """Implement `Check`: the last round of signing succeeded. Returns the size that was signed last.

        Raises:
            LedgerForkError: the ledger does not contain the checkpoint signed before.
            GuardUnavailableError: the guard cannot be used.
        """
        if self._failure is not None:
            raise self._failure
        return {"signed": self._signed} if self._signer else {}

    def _sign(self) -> None:
        try:
            self._signer = self._signer or self._open()
            if self._signer:
                adoption = Adoption(self._database.engine)
                while not self.rounds.stop.is_set() and adoption.proceed():
                    pass
            signed = self._signer.sign() if self._signer else None
        except (GuardUnavailableError, LedgerForkError) as exc:
            self._report(exc)
        else:
            if self._failure is not None:
                _log.info("signing_resumed")
            self._failure = None
            self._signed = signed or self._signed

    def _report(self, error: AuditLogError) -> None:
        if type(error) is type(self._failure):
            return
        self._failure = error
        key = "ledger_forked" if isinstance(error, LedgerForkError) else "guard_unavailable"
        _log.error(key, extra={"reason": str(error), "action": "Events are stored as before, and no proof is made."})
