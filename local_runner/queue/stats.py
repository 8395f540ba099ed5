"""Figures of the in-memory queue, for `/ready`, the metrics and the reconciliation."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QueueStats:
    """Figures of one moment.

    `waiting` counts messages that can be received, those in the spool included, and `in_flight` those received and not
    deleted. `oldest_age_seconds` is the age of the oldest message in memory, 0 without one; `bytes` the size of all
    bodies there.
    """

    waiting: int
    in_flight: int
    oldest_age_seconds: float
    bytes: int
