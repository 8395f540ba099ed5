"""Names that an erasure leaves in the log."""

from typing import Final

from core.domain.models import RESERVED_PREFIX

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
    "the spool of a running service, until the events that it has are stored and its file is removed",
)
"""Places that an erasure does not reach, for people. The database adds its files."""
