"""The dead letters of the in-memory queue: a SQLite file that any process can read and redrive."""

import hashlib
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from core.errors import QueueUnavailableError
from core.ports.queue import DeadLetter, Message
from core.stores.dialects import sqlite_file
from functions.consume_events import ConsumeHandler
from local_runner.aws_events.lambda_context import LambdaContext
from local_runner.aws_events.sqs_event import to_sqs_event

FILE_NAME: Final = "dead-letters.db"

_BATCH: Final = 500
_BUSY_SECONDS: Final = 5.0
# Unique by content: a process that is killed after `add` and before the acknowledgement adds its message again.
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    body TEXT NOT NULL,
    body_sha256 BLOB NOT NULL UNIQUE,
    receive_count INTEGER NOT NULL,
    given_up_at REAL NOT NULL
)
"""


class DeadLetterFile:
    """Implements `DeadLetterQueue`, and keeps the queue's exhausted messages. The first one creates the file.

    `handler` stores redriven messages. Safe to use from several threads and processes.
    """

    def __init__(self, path: Path, handler: ConsumeHandler, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._handler = handler
        self._clock = clock

    def add(self, messages: Sequence[Message]) -> None:
        """Keep messages that were received too often; they are on disk when this returns.

        Raises:
            QueueUnavailableError: the file cannot be written; none was kept.
        """
        now = self._clock()
        rows = [
            (message.body, hashlib.sha256(message.body.encode()).digest(), message.receive_count, now)
            for message in messages
        ]
        if not self._exists():
            with _translated_errors():
                _create(self._path)
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO dead_letters (body, body_sha256, receive_count, given_up_at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO NOTHING",
                rows,
            )

    def count(self) -> int:
        """Return the number of dead letters.

        Raises:
            QueueUnavailableError: the file cannot be read.
        """
        if not self._exists():
            return 0
        with self._transaction() as connection:
            (count,) = connection.execute("SELECT count(*) FROM dead_letters").fetchone()  # counts the narrow index
            return int(count)

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """See `DeadLetterQueue.dead_letters`."""
        return [letter for _, letter in self._letters(after=0, limit=limit)]

    def redrive(self, message_ids: Collection[str] | None = None) -> int:
        """Store dead letters with these ids, or all, and return how many were stored; the others stay.

        They do not pass through the queue, so that this works whether or not the service runs.

        Raises:
            QueueUnavailableError: the file cannot be used. Letters stored so far may stay in it, which is harmless.
            StoreUnavailableError: the store cannot be reached; trying again later helps.
        """
        redriven = after = 0
        while page := self._letters(after=after, limit=_BATCH):
            after = page[-1][0]
            redriven += self._redrive(
                [letter for _, letter in page if message_ids is None or letter.message_id in message_ids]
            )
        return redriven

    def _redrive(self, letters: Sequence[DeadLetter]) -> int:
        if not letters:
            return 0
        messages = [
            Message(letter.message_id, letter.message_id, letter.body, receive_count=1, sent_at=self._clock())
            for letter in letters
        ]
        response = self._handler(to_sqs_event(messages), LambdaContext("consume_events", "redrive"))
        failed = {item["itemIdentifier"] for item in response["batchItemFailures"]}
        stored = [(int(letter.message_id),) for letter in letters if letter.message_id not in failed]
        with self._transaction() as connection:
            connection.executemany("DELETE FROM dead_letters WHERE id = ?", stored)
        return len(stored)

    def _letters(self, *, after: int, limit: int) -> list[tuple[int, DeadLetter]]:
        if not self._exists():
            return []
        with self._transaction() as connection:
            rows = connection.execute(
                "SELECT id, body, receive_count FROM dead_letters WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
            )
            return [(number, DeadLetter(str(number), body, count)) for number, body, count in rows]

    def _exists(self) -> bool:
        with _translated_errors():
            try:
                self._path.stat()  # Path.exists would take a directory that may not be read for an empty one
            except FileNotFoundError:
                return False
            return True

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Open the file and run the block in a transaction, which is on disk when the block ends."""
        path = self._path.absolute()
        address = sqlite_file.uri(path, immutable=sqlite_file.is_immutable(path), mode="rwc")
        with (
            _translated_errors(),
            closing(sqlite3.connect(address, timeout=_BUSY_SECONDS, uri=True)) as connection,
            connection,
        ):
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(_SCHEMA)
            yield connection


def _create(path: Path) -> None:
    """Create the file in WAL mode, in which readers do not wait for the writer; the file keeps the mode.

    It is linked to its name when it is complete. Switching the mode of a file that others use may fail, since SQLite
    does not wait for them then. If another process links its file first, that one counts.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600, which SQLite keeps
    os.close(descriptor)
    try:
        with closing(sqlite3.connect(draft)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        Path(draft).unlink()


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else getattr(exc, "sqlite_errorname", type(exc).__name__)
        raise QueueUnavailableError(
            f"The dead letters cannot be read or written ({reason}): see to the permissions and the disk of "
            f"{FILE_NAME} in the data directory."
        ) from exc
