"""Connections to MongoDB: two clients, for writes and for reads, whose errors become errors of the service."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from bson.codec_options import CodecOptions
from pymongo import MongoClient
from pymongo.database import Database as Collections
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    ExecutionTimeout,
    InvalidName,
    OperationFailure,
    PyMongoError,
    WaitQueueTimeoutError,
)
from pymongo.uri_parser import parse_uri

from core.errors import InvalidSettingsError, ReadTimeoutError, StoreUnavailableError

Document = dict[str, Any]

READ_SECONDS: Final = 10.0
"""Duration of a read, enforced by the server."""

_UNAVAILABLE: Final = "The event store is unavailable ({}): try again later."
_EXCEEDED: Final = (
    "The event store stopped a read that took too long ({}): ask for a shorter range of time, or for one customer_id "
    "or event_type, which have indexes, or try again later."
)
_ADDRESS: Final = "AUDIT_LOG_DATABASE_URL is not an address of MongoDB: use for example mongodb://user@host/audit_log"
# A write is acknowledged when a majority has it in its journal: an accepted event leaves the queue after that. A write
# with an unknown outcome is not retried by the driver but by the queue.
_DURABLE: Final[Mapping[str, Any]] = {"w": "majority", "journal": True, "retryWrites": False, "retryReads": False}
_WRITES: Final[Mapping[str, Any]] = {"maxPoolSize": 10, "waitQueueTimeoutMS": 10_000, "socketTimeoutMS": 60_000}
# Longer than the server takes to report that a read exceeded its time.
_READS: Final[Mapping[str, Any]] = {"maxPoolSize": 16, "waitQueueTimeoutMS": 2_000, "socketTimeoutMS": 12_000}
_BOTH: Final[Mapping[str, Any]] = {
    "appname": "audit-log-service",
    "connectTimeoutMS": 5_000,
    "serverSelectionTimeoutMS": 5_000,
    "maxIdleTimeMS": 1_800_000,
}


class Connection:
    """The collections of one database: `writes` and `reads` have separate pools, so that neither waits for the other.

    Connects at first use, and is safe to use from several threads.
    """

    def __init__(self, url: str) -> None:
        """`url` is that of MongoDB's drivers. Its options take precedence, but not over the durability of writes.

        Raises:
            InvalidSettingsError: not such a URL, or it names no database.
        """
        self.writes = _collections(url, _WRITES)
        self.reads = _collections(url, _READS)

    def require_standalone(self) -> None:
        """Refuse a server that is part of a replica set or of a sharded cluster.

        Raises:
            InvalidSettingsError: it is one.
            StoreUnavailableError: it does not answer.
        """
        with writing():
            answer = self.writes.client.admin.command("hello")
        if "setName" in answer or answer.get("msg") == "isdbgrid":
            raise InvalidSettingsError(
                "AUDIT_LOG_DATABASE_URL: this version stores events in a standalone MongoDB only, and the server is "
                "part of a replica set or of a sharded cluster, whose failovers it was never tested with. Use a "
                "standalone server, or PostgreSQL with a standby."
            )

    def close(self) -> None:
        """Close all connections."""
        self.writes.client.close()
        self.reads.client.close()


@contextmanager
def writing() -> Iterator[None]:
    """Turn the driver's errors into those of the service.

    Raises:
        StoreUnavailableError: the server is unreachable, or refuses.
    """
    try:
        yield
    except PyMongoError as exc:
        # Not every message may be shown or logged: some quote documents.
        raise StoreUnavailableError(_UNAVAILABLE.format(_code(exc))) from _redacted(exc)


@contextmanager
def reading() -> Iterator[None]:
    """Do the same for a read, which has a time limit.

    Raises:
        ReadTimeoutError: the server stopped it.
        StoreUnavailableError: see `writing`.
    """
    try:
        with writing():
            yield
    except StoreUnavailableError as exc:
        if isinstance(exc.__cause__, ExecutionTimeout):
            raise ReadTimeoutError(_EXCEEDED.format(_code(exc.__cause__))) from exc.__cause__
        raise


def _collections(url: str, pool: Mapping[str, Any]) -> Collections[Document]:
    try:
        given = parse_uri(url, validate=True, warn=False)
        known = {name.lower() for name in given["options"]}
        defaults = {name: value for name, value in {**_BOTH, **pool}.items() if name.lower() not in known}
        if given["database"] is None:
            raise InvalidSettingsError(f"{_ADDRESS}, whose path names the database")
        client: MongoClient[Document] = MongoClient(url, **defaults, **_DURABLE)
        return client.get_database(given["database"], codec_options=CodecOptions(dict, tz_aware=True))
    except (PyMongoError, ValueError, TypeError, OSError, InvalidName):  # the message may quote the password
        raise InvalidSettingsError(_ADDRESS) from None


def _code(error: PyMongoError) -> str:
    """Return the name of an error. Its message may name hosts and accounts, and clients get to see this."""
    if isinstance(error, WaitQueueTimeoutError):
        return "all connections are in use"
    if isinstance(error, OperationFailure) and error.details:
        return str(error.details.get("codeName") or error.code or type(error).__name__)
    return type(error).__name__


def _redacted(error: PyMongoError) -> PyMongoError:
    if isinstance(error, ConnectionFailure):
        return error
    if isinstance(error, BulkWriteError):
        codes = sorted({problem["code"] for problem in error.details.get("writeErrors", [])})
        return PyMongoError(f"a bulk write failed with the codes {codes}")
    if isinstance(error, OperationFailure):
        return type(error)(_code(error), error.code)
    return PyMongoError(type(error).__name__)
