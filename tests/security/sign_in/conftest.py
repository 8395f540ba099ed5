from collections.abc import Callable, Iterator

import pytest

from tests.support.openid_provider import OpenIDProvider, Person, openid_provider
from tests.support.service import AUDIT_LOG, Service, free_port


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, OpenIDProvider]]:
    """A service whose people sign in at a provider."""
    port = free_port()
    page = f"http://127.0.0.1:{port}"
    with openid_provider(tmp_path_factory.mktemp("provider"), page) as provider:
        data = tmp_path_factory.mktemp("signing") / "data"
        environ = {"SSL_CERT_FILE": str(provider.authority)}
        command = [AUDIT_LOG, "serve", "--port", str(port)]
        with Service(command, port, data, provider.settings(page), environ=environ).wait_until_up() as running:
            yield running, provider


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
