"""The dead letters of the in-memory queue: a SQLite file of their own, which any process may read and redrive."""

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from core.errors import QueueUnavailableError
from core.ports.queue import DeadLetter, Message
from core.stores.dialects.sqlite import write_ahead
from functions.consume_events import ConsumeHandler
from local_runner.aws_events.lambda_context import LambdaContext
from local_runner.aws_events.sqs_event import to_sqs_event

FILE_NAME: Final = "dead-letters.db"

_BATCH: Final = 500
_BUSY_SECONDS: Final = 5.0
# A message that is given up again after a restart, which may have forgotten that it was, is the same letter.
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
    """Implements `DeadLetterQueue`, and takes what the queue gives up. The file is made with the first letter.

    `handler` consumes what is redriven. Safe to use from several threads and processes.
    """

    def __init__(self, path: Path, handler: ConsumeHandler, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._handler = handler
        self._clock = clock

    def add(self, messages: Sequence[Message]) -> None:
        """Keep messages that were given up; they are on disk when this returns.

        Raises:
            QueueUnavailableError: the file cannot be written; none was kept.
        """
        now = self._clock()
        rows = [
            (message.body, hashlib.sha256(message.body.encode()).digest(), message.receive_count, now)
            for message in messages
        ]
        with self._connection(create=True) as connection:
            connection.executemany(
                "INSERT INTO dead_letters (body, body_sha256, receive_count, given_up_at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO NOTHING",
                rows,
            )

    def count(self) -> int:
        """How many there are.

        Raises:
            QueueUnavailableError: the file cannot be read.
        """
        if not self._path.exists():
            return 0
        with self._connection() as connection:
            (count,) = connection.execute("SELECT count(*) FROM dead_letters").fetchone()  # counts the narrow index
            return int(count)

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """See `DeadLetterQueue.dead_letters`."""
        return [letter for _, letter in self._letters(after=0, limit=limit)]

    def redrive(self, message_ids: Collection[str] | None = None) -> int:
        """Store dead letters, without the queue, so that this works whether or not the service runs.

        Those that the consumer takes are deleted, the others stay. How many it took.

        Raises:
            QueueUnavailableError: the file cannot be used; what was stored by then may stay in it, which is harmless.
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
        answer = self._handler(to_sqs_event(messages), LambdaContext("consume_events", "redrive"))
        failed = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
        stored = [(int(letter.message_id),) for letter in letters if letter.message_id not in failed]
        with self._connection() as connection:
            connection.executemany("DELETE FROM dead_letters WHERE id = ?", stored)
        return len(stored)

    def _letters(self, *, after: int, limit: int) -> list[tuple[int, DeadLetter]]:
        if not self._path.exists():
            return []
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT id, body, receive_count FROM dead_letters WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
            )
            return [(number, DeadLetter(str(number), body, count)) for number, body, count in rows]

    @contextmanager
    def _connection(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        """A connection, and a transaction that is committed at the end of the block."""
        try:
            if create:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                # Before SQLite makes it, since what it makes others can read.
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            with closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS)) as connection, connection:
                write_ahead(connection)
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute(_SCHEMA)
                yield connection
        except (OSError, sqlite3.Error) as exc:
            raise QueueUnavailableError(f"The dead letters cannot be read or written ({type(exc).__name__}).") from exc
