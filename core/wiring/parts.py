"""Parts of the service that a process or a test can replace."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypedDict

from pydantic import SecretStr

from core.ports.clients import ClientReader, RevocationReader
from core.ports.queue import CommitGroup, DeadLetterQueue, EventPublisher, QueueMonitor
from core.ports.store import EventReader, EventSummaries, EventWriter
from core.ports.telemetry import Check

if TYPE_CHECKING:
    from core.ports.feed import FeedReader
    from core.ports.ledger import LedgerProofs


class Parts(TypedDict, total=False):
    """Parts that a process or a test provides, in place of those that the settings describe."""

    publisher: EventPublisher
    commit_group: CommitGroup
    reader: EventReader
    summaries: EventSummaries
    proofs: "LedgerProofs"
    feed: "FeedReader"
    writer: EventWriter
    clients: ClientReader
    revocations: RevocationReader
    dead_letters: DeadLetterQueue
    queue_statistics: QueueMonitor
    secrets_key: Callable[[], SecretStr | None]
    """Returns the present value of the setting of this name. Raises SecretUnavailableError, InvalidSettingsError."""
    checks: Mapping[str, Check]
    consumer_check: Check
    ledger_checks: Mapping[str, Check]
