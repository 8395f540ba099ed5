"""Origin and public keys of the ledger, in the database, so that every process can name them."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from core.domain.audit_events import audit_event
from core.errors import InvalidSettingsError, ProofPendingError
from core.ledger.notes import ED25519, verifier_key
from core.ports.ledger import CheckpointKeys
from core.stores.connections import open_connection, open_read_connection
from core.stores.dialects import dialect_of
from core.stores.own_events import insert_own_event
from core.stores.schema import ledger_checkpoints, ledger_cosignatures, ledger_origins, service_keys

RETRY_AFTER_SECONDS: Final = 5

_ORIGIN: Final = (
    select(ledger_origins.c.origin).order_by(ledger_origins.c.since_size.desc(), ledger_origins.c.at.desc()).limit(1)
)
_SIZE: Final = select(func.coalesce(func.max(ledger_checkpoints.c.size), 0))
_LAST_NOTE: Final = (
    select(ledger_checkpoints.c.note)
    .where(ledger_checkpoints.c.note.is_not(None))
    .order_by(ledger_checkpoints.c.size.desc())
    .limit(1)
)
_PREFIX: Final = "ledger-"
_KEYS: Final = (
    select(service_keys.c.name, service_keys.c.value)
    .where(service_keys.c.name.startswith(_PREFIX))
    .order_by(service_keys.c.name)
)


def fix_origin(engine: Engine, wanted: str | None, default: str, clock: Callable[[], float] = time.time) -> str:
    """Return the origin of the ledger in a database, which its first use fixes to `wanted`, or else to `default`.

    Raises:
        InvalidSettingsError: `wanted` is another one than the ledger has.
        StoreUnavailableError: the database is unreachable.
    """
    with open_connection(engine) as connection:
        origin = connection.execute(_ORIGIN).scalar()
        if origin is None:
            origin = wanted or default
            at = datetime.fromtimestamp(clock(), UTC)
            connection.execute(insert(ledger_origins).values(origin=origin, since_size=0, at=at))
            connection.commit()
    if wanted not in {None, origin}:
        raise InvalidSettingsError(
            f"AUDIT_LOG_LEDGER_ORIGIN: the ledger in this database is {origin}, the name in the checkpoints that were "
            "signed; set the origin to it, or leave the setting out"
        )
    return str(origin)


def restart(engine: Engine, origin: str, reason: str, *, at: datetime) -> int:
    """Give the entries of a ledger to another origin, under which nothing is signed yet; return their number.

    The event `audit-log.ledger.restarted` records it, with the last checkpoint of the former origin in the database.
    Proofs under former checkpoints stay valid. No process may sign meanwhile, and the guard must be moved away.

    Raises:
        InvalidSettingsError: the ledger has or had this origin.
        StoreUnavailableError: nothing was changed; trying again later helps.
    """
    with open_connection(engine) as connection:
        former = connection.execute(_ORIGIN).scalar()
        if connection.execute(select(ledger_origins).where(ledger_origins.c.origin == origin)).first():
            raise InvalidSettingsError(f"The ledger has been signed under {origin} already: choose another origin.")
        size = connection.execute(_SIZE).scalar_one()
        note = connection.execute(_LAST_NOTE).scalar()
        connection.execute(insert(ledger_origins).values(origin=origin, since_size=size, at=at, reason=reason))
        connection.execute(update(ledger_checkpoints).values(note=None))
        connection.execute(delete(ledger_cosignatures))
        connection.execute(delete(service_keys).where(service_keys.c.name.startswith(_PREFIX)))
        facts = {"former": former, "entries": size, "reason": reason, "last_checkpoint": note}
        insert_own_event(connection, dialect_of(engine), audit_event("ledger.restarted", origin, at=at, **facts))
        connection.commit()
    return int(size)


def publish_keys(engine: Engine, keys: CheckpointKeys) -> None:
    """Store the public keys of the ledger.

    Raises:
        StoreUnavailableError: the database is unreachable.
    """
    wanted = {f"{_PREFIX}{ident.hex()}": key for ident, key in keys.public_keys.items()}
    with open_connection(engine) as connection:
        missing = wanted.keys() - {name for name, _ in connection.execute(_KEYS)}
        if missing:
            connection.execute(
                insert(service_keys), [{"name": name, "value": wanted[name]} for name in sorted(missing)]
            )
            connection.commit()


def ledger_keys(engine: Engine) -> list[str]:
    """Return the public keys of the ledger as text (vkeys).

    Raises:
        ProofPendingError: no process has signed yet.
        StoreUnavailableError: the database is unreachable.
    """
    with open_read_connection(engine) as connection:
        origin, keys = origin_and_keys(connection)
    if origin is None or not keys:
        raise ProofPendingError("The ledger has no key yet: no process signs its checkpoints.", RETRY_AFTER_SECONDS)
    return [verifier_key(origin, ED25519, key) for key in keys]


def stored_origin(engine: Engine) -> str | None:
    """Return the origin of the ledger in a database; None until a process has opened its key.

    Raises:
        StoreUnavailableError: the database is unreachable.
    """
    with open_read_connection(engine) as connection:
        origin: str | None = connection.execute(_ORIGIN).scalar()
    return origin


def origin_and_keys(connection: Connection) -> tuple[str | None, list[bytes]]:
    """Return the origin of the ledger and its public keys, 32 bytes each; None and no key until one has signed."""
    return connection.execute(_ORIGIN).scalar(), [row.value for row in connection.execute(_KEYS)]
