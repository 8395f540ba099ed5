"""The ledger of an AWS stage: a function on a schedule gives events their indices and signs the checkpoint."""

import logging
import secrets
from collections.abc import Mapping
from typing import Any, Final

from core.aws.clients import AwsClients, aws_client
from core.errors import GuardUnavailableError, LedgerForkError
from core.wiring import Services

KEYS: Final = "LEDGER_KEYS"
"""Environment variable with the keys in KMS, separated by spaces: all of them sign."""
BUCKET: Final = "LEDGER_BUCKET"
"""Environment variable with the bucket of the guard."""

_ADOPTING_SECONDS: Final = 20
_RANDOM_BYTES: Final = 6

_log = logging.getLogger(__name__)


def integrate(services: Services, environ: Mapping[str, str], client: AwsClients = aws_client) -> dict[str, Any]:
    """Give events without an index theirs, and sign the newest checkpoint with the keys that the environment names.

    Returns the number of these events, and the size that was signed, None if there was nothing to sign.

    Raises:
        LedgerForkError: nothing is signed, because the ledger does not contain the checkpoint signed before.
        GuardUnavailableError: nothing is signed, because the guard cannot be used or another process signed meanwhile.
        SecretUnavailableError: KMS is unreachable or refuses.
        StoreUnavailableError: the database cannot be reached; events integrated so far keep their indices.
        InvalidSettingsError: the ledger has another origin than the settings.
    """
    integrated = sum(iter(services.database.ledger.integrate, 0))
    signed = None
    if services.settings.has_ledger and environ.get(KEYS):
        try:
            signed = _sign(services, environ, client)
        except (LedgerForkError, GuardUnavailableError) as exc:
            key = "ledger_forked" if isinstance(exc, LedgerForkError) else "guard_unavailable"
            _log.error(key, extra={"reason": str(exc), "action": "Events are stored as before, and no proof is made."})
            raise
    return {"integrated": integrated, "signed": signed}


def _sign(services: Services, environ: Mapping[str, str], client: AwsClients) -> int | None:
    # The other functions need none of these.
    from core.aws.ledger_guard import S3Guard  # noqa: PLC0415
    from core.aws.ledger_keys import KmsLedgerKeys  # noqa: PLC0415
    from core.stores.ledger.adoption import Adoption  # noqa: PLC0415
    from core.stores.ledger.identity import fix_origin, publish_keys  # noqa: PLC0415
    from core.stores.ledger.signing import CheckpointSigner  # noqa: PLC0415

    engine = services.database.engine
    adoption, end = Adoption(engine), services.clock() + _ADOPTING_SECONDS
    while adoption.proceed():
        if services.clock() > end:
            return None  # the next call continues
    default = f"localhost/audit-log/{secrets.token_hex(_RANDOM_BYTES)}"
    origin = fix_origin(engine, services.settings.ledger_origin, default)
    keys = KmsLedgerKeys(origin, environ[KEYS].split(), client("kms"))
    publish_keys(engine, keys)
    return CheckpointSigner(engine, keys, S3Guard(environ[BUCKET], client("s3"))).sign()
