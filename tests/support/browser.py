"""A real browser for tests: headless Chromium, driven by selenium."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from selenium import webdriver
from selenium.webdriver.chrome.service import Service as Driver

from tests.support.skipping import skip_or_fail

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


@contextmanager
def chromium(profile: Path) -> Iterator[webdriver.Chrome]:
    """A browser with a new profile in this directory, which notes what it logs and what it asks for."""
    binary, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not binary or not chromedriver:
        skip_or_fail("a browser is missing: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # Both paths are given, so that selenium has nothing to look for and nothing to download.
    driver = webdriver.Chrome(options, Driver(executable_path=chromedriver))
    try:
        yield driver
    finally:
        driver.quit()


def log_of(browser: webdriver.Chrome, kind: str) -> list[str]:
    entries = browser.get_log(kind)  # type: ignore[no-untyped-call] # selenium gives it no types
    # Below INFO is Chromium's advice to authors of forms, such as Swagger UI's.
    return [entry["message"] for entry in entries if entry["level"] not in {"DEBUG", "VERBOSE"}]


def hosts_asked_by(browser: webdriver.Chrome) -> set[str]:
    """Of every request over a network."""
    return {url.netloc for url in _urls_asked_by(browser)}


def paths_asked_by(browser: webdriver.Chrome) -> set[str]:
    """Of every request over a network."""
    return {url.path for url in _urls_asked_by(browser)}


def _urls_asked_by(browser: webdriver.Chrome) -> list[SplitResult]:
    """The browser's own pages, which are not among them, are chrome:, icons data:, files to save blob:."""
    messages = [json.loads(entry)["message"] for entry in log_of(browser, "performance")]
    requests = [message["params"] for message in messages if message["method"] == "Network.requestWillBeSent"]
    urls = [urlsplit(request["request"]["url"]) for request in requests]
    return [url for url in urls if url.scheme not in {"chrome", "data", "blob"}]
