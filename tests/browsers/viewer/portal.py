"""The page of an application with the log viewer inside, by the code of docs/guides/embed.md, and its backend."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.browsers.viewer.page import ViewerPage
from tests.support.builders import new_event
from tests.support.documents import blocks, read
from tests.support.host_page import HostPage
from tests.support.service import Service, get
from tests.support.waiting import SECONDS, until

GUIDE = read("docs/guides/embed.md")
[PAGE] = blocks(GUIDE, "html")
[BACKEND] = blocks(GUIDE, "python")
OWN, FOREIGN = 42, 43
SECRET_WORD = "hidden-from-others"
WHOLE = "last=all"


@dataclass
class Portal:
    """A service, and the page of an application that may embed its log viewer."""

    service: Service
    host: HostPage
    elsewhere: HostPage
    token: Callable[..., dict[str, str]]
    """The function of the guide."""
    ids: dict[int, str]
    """An event of each customer."""


def backend(service: Service, client: tuple[str, str]) -> Callable[..., dict[str, str]]:
    environ = {"AUDIT_URL": service.url, "AUDIT_VIEWER_ID": client[0], "AUDIT_VIEWER_SECRET": client[1]}
    code: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        exec(BACKEND, code)  # noqa: S102 - the code of the guide
    function: Callable[..., dict[str, str]] = code["audit_token"]
    code["os"].environ.update(environ)
    return function


def post_for(service: Service, writer: tuple[str, str], customer: int) -> str:
    token = get(f"{service.url}/access-token", auth=writer).raise_for_status().json()["token"]
    data = {"actor": {"id": "ada"}, "targets": [{"id": SECRET_WORD if customer == FOREIGN else "own"}]}
    sent = new_event(event_type="invoice.updated", customer_id=customer, event_data=data)
    with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {token}"}, timeout=SECONDS) as client:
        location = client.post("/event", json=sent).raise_for_status().headers["Location"]
        until(lambda: client.get(location).is_success)
    return str(location.rpartition("/")[2])


class EmbeddedPage(ViewerPage):
    """The viewer in its frame, once the page around it is loaded."""

    def __init__(self, browser: webdriver.Chrome, url: str) -> None:
        self.browser = browser
        browser.get("about:blank")
        browser.get(url)

    def enter(self) -> "EmbeddedPage":
        self.browser.switch_to.default_content()
        host = self.find("audit-log-viewer")
        self.until(lambda: host.shadow_root.find_elements(By.CSS_SELECTOR, "iframe"), "there is no frame")
        self.browser.switch_to.frame(host.shadow_root.find_element(By.CSS_SELECTOR, "iframe"))
        return self

    def view_of(self, fragment: str) -> "EmbeddedPage":
        """Go to another view in the frame, as a link inside it would."""
        self.browser.execute_script("location.hash = arguments[0]", fragment)
        return self

    def view(self) -> dict[str, str]:
        """What the address of the frame says."""
        return dict(parse_qsl(self.browser.execute_script("return location.hash.slice(1)")))

    def text(self) -> str:
        text: str = self.browser.execute_script("return document.body.textContent")
        return text


def shown(browser: webdriver.Chrome, portal: Portal, attributes: str = "", *, page: str = PAGE) -> EmbeddedPage:
    """The page of the guide, with more attributes of the element, and the viewer in it."""
    source = page.replace("https://audit.example.org", portal.service.url)
    portal.host.pages["/"] = source.replace('token-url="/audit-token"', f'token-url="/audit-token" {attributes}')
    return EmbeddedPage(browser, f"{portal.host.url}/").enter()


def all_of(page: EmbeddedPage) -> EmbeddedPage:
    """The viewer, when it has listed what the token shows."""
    page.loaded()
    page.until(lambda: not page.all("body.loading") and page.rows(), "no event is listed")
    return page
