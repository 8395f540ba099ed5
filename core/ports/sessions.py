"""Port of the sessions of people who signed in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from core.domain.models import Event


@dataclass(frozen=True)
class Session:
    """A session. `digest` is the SHA-256 of its secret in hex; `customers` None means all; times are Unix seconds."""

    digest: str
    subject: str
    customers: Sequence[int] | None
    expires_at: int


class SessionStore(Protocol):
    """Keeps sessions. Each change is stored together with its audit event. All raise StoreUnavailableError."""

    def begin(self, session: Session, record: Event) -> None:
        """Add a session, and remove those that expired before its audit event."""

    def find(self, digest: str) -> Session | None:
        """Return the session, also if it has expired."""

    def end(self, digest: str, record: Event) -> None:
        """Remove a session."""

    def end_all(self, subject: str, record: Event) -> None:
        """Remove all sessions of a subject."""
