"""The stores that the contract holds for: a new adapter is one more parameter."""

from collections.abc import Callable
from typing import Any

import pytest

from core.queries import EventFilter, PageRequest
from tests.fakes import EventStore, FakeStore

Find = Callable[..., list[int]]


@pytest.fixture(params=["sqlite", "fake"])
def event_store(request: pytest.FixtureRequest) -> EventStore:
    if request.param == "fake":
        return FakeStore()
    store: EventStore = request.getfixturevalue(f"{request.param}_store")
    return store


@pytest.fixture
def find(event_store: EventStore) -> Find:
    """The numbers of the events that a filter finds, the oldest first."""

    def find(**conditions: Any) -> list[int]:
        matches = event_store.find(EventFilter(**conditions), PageRequest(order="asc"))
        assert matches.total_count == len(matches.events)
        return [int(event.event_id[-12:]) for event in matches.events]

    return find
