"""One browser for all tests of the log viewer."""

from collections.abc import Callable, Iterator

import pytest
from selenium import webdriver

from tests.browsers.viewer.managed import Guarded, guarded_service_in
from tests.support.browser import asking_only_its_own_host, chromium


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("browser") / "profile") as driver:
        yield driver


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A service for the tests of a file, with a client that may manage streams and alert rules."""
    with guarded_service_in(tmp_path_factory.mktemp("guarded")) as running:
        yield running


@pytest.fixture(autouse=True)
def only_its_own_host(browser: webdriver.Chrome) -> Iterator[None]:
    """Whatever a test does, the page sends requests only to the service that served it."""
    with asking_only_its_own_host(browser):
        yield


@pytest.fixture
def before_the_page(browser: webdriver.Chrome, request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Runs a script before the page's own, for this test."""

    def run(source: str) -> None:
        added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": source})
        request.addfinalizer(lambda: browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {**added}))

    return run
