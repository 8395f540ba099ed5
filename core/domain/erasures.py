"""Names that an erasure leaves in the log, and erased events as readers get them."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from core.domain.models import RESERVED_PREFIX, Event, EventId, ReceivedAt

ERASED: Final = "events.erased"
"""Kind of the event that records an erasure, see `audit_event`. Its data has `event_ids`, `whole`, `reason`, `by`."""
STONE_TYPE: Final = f"{RESERVED_PREFIX}erased"
"""Type of an event that was erased as a whole: only its id, its times and its place in the ledger are left."""
STONE_RECORDER: Final = "audit-log"
"""`recorded_by` of such an event."""
BEYOND: Final = (
    "backups, and copies of the database",
    "archives that retention wrote, exports, proofs and pages that were handed out, and what readers of the feed keep",
    "dead letters and messages of a broker that have the event: `audit-log dead-letters list` shows those",
    "the spool of a running service, for about a minute after the events in its file are stored",
)
"""Places that an erasure does not reach, for people. The database adds its files."""


class Erased(BaseModel):
    """Facts about the erasure of an event."""

    model_config = ConfigDict(frozen=True)

    at: ReceivedAt = Field(description="When; RFC 3339, milliseconds, UTC.")
    by_event: EventId = Field(description="Id of the event that records it.")
    whole: bool = Field(description="Whether type, customer and sender were erased as well.")


class ErasedEvent(Event):
    """An event that was erased. Clients cannot post an event without data, and so cannot forge this."""

    event_data: Annotated[dict[str, Any], Field(max_length=0)]
    erased: Erased
