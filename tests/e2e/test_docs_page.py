"""/docs in a real browser: it shows every operation, tries one out, and asks no other host for anything."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service as Driver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.conftest import skip_or_fail
from tests.service import Service

WAIT_SECONDS = 20
FLAGS = (
    "--headless",
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--window-size=1200,2000",
    # Requests of the browser itself, which are not the page's:
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not chromedriver:
        skip_or_fail("a browser is missing: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # Both paths are given, so that selenium has nothing to look for and nothing to download.
    driver = webdriver.Chrome(options, Driver(executable_path=chromedriver))
    try:
        yield driver
    finally:
        driver.quit()


class DocsPage:
    """What a reader does with the page."""

    def __init__(self, browser: webdriver.Chrome, url: str) -> None:
        self._browser = browser
        browser.get(f"{url}/docs")
        self.find(".opblock")

    def find(self, selector: str) -> WebElement:
        """The first visible element, as soon as there is one."""

        def visible(browser: webdriver.Chrome) -> WebElement | None:
            found = browser.find_elements(By.CSS_SELECTOR, selector)
            return next((element for element in found if element.is_displayed()), None)

        found = WebDriverWait(self._browser, WAIT_SECONDS).until(visible, f"{selector} is not on the page")
        assert found is not None
        return found

    def operations(self) -> set[tuple[str, str]]:
        blocks = self._browser.find_elements(By.CSS_SELECTOR, ".opblock")
        return {
            (
                block.find_element(By.CSS_SELECTOR, ".opblock-summary-method").text,
                block.find_element(By.CSS_SELECTOR, ".opblock-summary-path").get_attribute("data-path") or "",
            )
            for block in blocks
        }

    def authorize(self, token: str) -> None:
        self.find(".auth-wrapper .authorize").click()
        self.find(".modal-ux input").send_keys(token)
        self.find(".modal-ux button.authorize").click()
        self.find(".modal-ux button.btn-done").click()

    def try_out(self, operation_id: str) -> tuple[str, str]:
        """Open an operation and execute it as it is prefilled: the status and the body that the page shows."""
        block = f"[id$='-{operation_id}']"
        self.find(f"{block} .opblock-summary-control").click()
        self.find(f"{block} .try-out__btn").click()
        self.find(f"{block} .execute").click()
        answer = f"{block} .live-responses-table .response"
        return self.find(f"{answer} .response-col_status").text, self.find(f"{answer} .response-col_description").text


def log_of(browser: webdriver.Chrome, kind: str) -> list[str]:
    entries = browser.get_log(kind)  # type: ignore[no-untyped-call] # selenium gives it no types
    # Below INFO is Chromium's advice to whoever writes forms, such as Swagger UI's.
    return [entry["message"] for entry in entries if entry["level"] not in {"DEBUG", "VERBOSE"}]


def hosts_asked_by(browser: webdriver.Chrome) -> set[str]:
    """Of every request over a network; the browser's own pages are chrome:, icons in a style sheet are data:."""
    messages = [json.loads(entry)["message"] for entry in log_of(browser, "performance")]
    requests = [message["params"] for message in messages if message["method"] == "Network.requestWillBeSent"]
    urls = [urlsplit(request["request"]["url"]) for request in requests]
    return {url.netloc for url in urls if url.scheme not in {"chrome", "data"}}


def test_the_page_shows_every_operation_and_tries_one_out(browser: webdriver.Chrome, service: Service) -> None:
    described = httpx.get(f"{service.url}/openapi.json").json()["paths"]
    page = DocsPage(browser, service.url)
    assert page.operations() == {(method.upper(), path) for path, methods in described.items() for method in methods}

    page.authorize(service.token())
    status, body = page.try_out(described["/event"]["get"]["operationId"])
    assert status.split()[0] == "200"
    assert '"total_count"' in body

    assert log_of(browser, "browser") == []
    assert hosts_asked_by(browser) == {f"127.0.0.1:{service.port}"}
