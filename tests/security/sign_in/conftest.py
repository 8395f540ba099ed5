from collections.abc import Callable, Iterator

import pytest

from tests.support.openid_provider import OpenIDProvider, Person, service_with_provider
from tests.support.service import Service


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, OpenIDProvider]]:
    """A service whose people sign in at a provider."""
    with service_with_provider(tmp_path_factory.mktemp("signing")) as running:
        yield running


@pytest.fixture
def person(signing: tuple[Service, OpenIDProvider]) -> Iterator[Callable[[], Person]]:
    """Makes people, each with a separate browser."""
    service, provider = signing
    people: list[Person] = []

    def make() -> Person:
        people.append(Person(provider, service.url))
        return people[-1]

    yield make
    for one in people:
        one.browser.close()
