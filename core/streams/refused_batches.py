"""Refused batches: they are halved until one event is left, and whole batches in a row are counted."""

from typing import Final

from core.ports.feed import FeedPage

MAX_IN_A_ROW: Final = 20


class RefusedBatches:
    """What a sender remembers of the refusals of one destination."""

    def __init__(self) -> None:
        self.most: int | None = None
        """Most events of the next batch; None: no bound."""
        self.in_a_row = 0
        """Number of times that all events of a batch were set aside, since the last delivery."""
        self.first = 0
        """Index of the first of these events."""
        self._until = 0  # end of the batch that is halved
        self._alone: int | None = None  # index of an event that was refused without others, once

    def is_final(self, page: FeedPage) -> bool:
        """Return whether a refused batch is one event that was refused before; otherwise the next batch is smaller."""
        index = page.entries[0][0]
        if len(page.entries) > 1:
            self._until = max(self._until, page.position)
            self.most = len(page.entries) // 2
        elif self._alone == index:
            return True
        else:
            self._alone = index
        return False

    def set_aside(self, page: FeedPage, count: int) -> None:
        """Count that `count` events of a batch are set aside."""
        if count < len(page.entries):
            self.in_a_row = 0
            return
        if not self.in_a_row:
            self.first = page.entries[0][0]
        self.in_a_row += 1

    def dealt_with(self, position: int, *, delivered: bool) -> None:
        """Double the size of batches until the one that was halved is dealt with."""
        self._alone = None
        if delivered:
            self.in_a_row = 0
        if self.most:
            self.most = None if position >= self._until else self.most * 2
