"""Both browsers, one after the other, for what people do: other tests of the log viewer use Chromium alone."""

from collections.abc import Iterator

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from tests.browsers.viewer.managed import Guarded, guarded_service_in
from tests.support.browser import asking_only_its_own_host, chromium, firefox


@pytest.fixture(scope="module", params=[chromium, firefox], ids=["chromium", "firefox"])
def browser(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    with request.param(tmp_path_factory.mktemp("browser") / "profile") as driver:
        yield driver


@pytest.fixture(autouse=True)
def only_its_own_host(browser: WebDriver) -> Iterator[None]:
    """Whatever a test does, the page sends requests only to the service that served it."""
    with asking_only_its_own_host(browser):
        yield


@pytest.fixture(scope="module")
def guarded(browser: WebDriver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:  # noqa: ARG001 - for each
    """A service for the tests of a file in one browser, with a client that may manage streams and alert rules."""
    with guarded_service_in(tmp_path_factory.mktemp("guarded")) as running:
        yield running
