"""Outlets: the destination of a stream together with what its events go through on their way."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from core.domain.models import Event
from core.ports.streams import BatchEntry, Destination


class Outlet(NamedTuple):
    """A destination, and the masking and format of the events that go there."""

    destination: Destination
    mask: Callable[[Event], Event]
    format: Callable[[Event], Mapping[str, Any]]

    def entry(self, index: int, event: Event) -> BatchEntry:
        """Mask and format an event."""
        masked = self.mask(event)
        return BatchEntry(index, masked, self.format(masked))
