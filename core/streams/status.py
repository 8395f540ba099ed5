"""Status of streams: how far each one is behind the log, and the figures of all for metrics."""

from typing import Any

from core.domain.clock import Clock
from core.domain.streams import Stream
from core.ports.feed import FeedReader, behind_seconds
from core.ports.streams import StreamAdmin


class StreamStatus:
    """Compares streams with the log."""

    def __init__(self, store: StreamAdmin, feed: FeedReader, clock: Clock) -> None:
        self._store = store
        self._feed = feed
        self._clock = clock

    def behind_seconds(self, stream: Stream) -> float:
        """Return for how long the next entry of a stream has been stored; 0 if it has come to the end.

        The place of a stream whose filter selects nothing is written once a minute, so that it is up to a minute high.

        Raises:
            StoreUnavailableError: trying again later helps.
        """
        return behind_seconds(self._feed, stream.position, self._clock)

    def check(self) -> dict[str, Any]:
        """Implement `Check`: figures of all streams. A stream that fails does not make the service unready.

        Raises:
            StoreUnavailableError: the database cannot be read.
        """
        streams = self._store.streams()
        active = [stream for stream in streams if stream.state == "active"]
        return {
            "active": len(active),
            "paused": sum(stream.state == "paused" for stream in streams),
            "suspended": sum(stream.state == "suspended" for stream in streams),
            "refused": sum(stream.refused for stream in streams),
            "behind_seconds": self.behind_seconds(min(active, key=lambda each: each.position)) if active else 0.0,
        }
