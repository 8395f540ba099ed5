"""Types of columns, each with the form that a database keeps it in."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from sqlalchemy import CHAR, BigInteger, Dialect, Integer, LargeBinary, String, TypeDecorator
from sqlalchemy.dialects.mysql import BINARY, MEDIUMBLOB
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.types import TypeEngine


@lru_cache(maxsize=64)  # events of one batch share their milliseconds
def unix_milliseconds(value: datetime) -> int:
    """Return milliseconds since 1970, exactly; fractions of a millisecond are cut off."""
    return int(value.timestamp()) * 1000 + value.microsecond // 1000


class UnixMilliseconds(TypeDecorator[datetime]):
    """Aware datetime, stored as milliseconds since 1970: exact, ordered and equal in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Encode a value for the database."""
        return None if value is None else unix_milliseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Decode a value from the database."""
        if value is None:
            return None
        seconds, milliseconds = divmod(value, 1000)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=milliseconds * 1000)


def fixed_bytes(size: int) -> TypeEngine[bytes]:
    """Return the type of values of `size` bytes, such as digests."""
    return LargeBinary(size).with_variant(BINARY(size), "mysql")


# Text instead of bytes, so that a database shell shows the ids that the service prints.
EVENT_ID: Final = String(36).with_variant(UUID(as_uuid=False), "postgresql").with_variant(CHAR(36), "mysql")
ROW_ID: Final = BigInteger().with_variant(Integer, "sqlite")
"""Integer primary key, which SQLite makes the number of the row only if its type is INTEGER."""
BLOB: Final = LargeBinary().with_variant(MEDIUMBLOB(), "mysql")
"""Up to 16 MiB of bytes; MySQL's BLOB ends at 64 KiB."""
