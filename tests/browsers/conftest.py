"""Parts of several tests in browsers."""

from collections.abc import Iterator

import pytest

from tests.support.receiver import Receiver, receiver


@pytest.fixture
def endpoint() -> Iterator[Receiver]:
    """A destination of streams on this machine."""
    with receiver() as running:
        yield running
