"""Both browsers, one after the other: what every other test of the log viewer does in Chromium alone."""

from collections.abc import Iterator

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from tests.support.browser import chromium, firefox


@pytest.fixture(scope="module", params=[chromium, firefox], ids=["chromium", "firefox"])
def browser(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    with request.param(tmp_path_factory.mktemp("browser") / "profile") as driver:
        yield driver
