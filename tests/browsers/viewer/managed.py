"""What the pages of streams and of alert rules have in common."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

from tests.browsers.viewer.page import ViewerPage
from tests.browsers.viewer.test_viewer_sign_in import guarded_service
from tests.support.service import Service, post
from tests.support.waiting import SECONDS

HOSTILE = '<img src=x onerror="document.title=1"><b>bold</b> & {name} "quoted"'
"""A name that the service accepts: markup, and the mark of a value in the texts of the page."""


class Guarded:
    """A service with a client that may manage streams and alert rules."""

    def __init__(self, service: Service, client_id: str, secret: str) -> None:
        self.service = service
        self._client = client_id, secret

    def page(self, browser: WebDriver, view: str, *, lang: str = "") -> ViewerPage:
        page = ViewerPage(browser, self.service.url, view, lang=lang)
        client_id, secret = self._client
        page.find("[name=client_id]").send_keys(client_id)
        page.find("[name=client_secret]").send_keys(secret)
        page.find("#credentials button").click()
        return page

    def opened(self, browser: WebDriver, view: str) -> ViewerPage:
        """Open the page of a view, and wait for its heading."""
        page = self.page(browser, view)
        page.find(f"#{view} h2")
        return page

    def named(self, path: str, name: str) -> dict[str, Any]:
        """The stream or rule of this name, as the list at `path` has it."""
        with self.client() as client:
            [found] = client.get(path).raise_for_status().json().values()
        listed: list[dict[str, Any]] = found
        return next(each for each in listed if each["name"] == name)

    def client(self) -> httpx.Client:
        """An HTTP client with a token of this client."""
        form = {"grant_type": "client_credentials"}
        answer = post(f"{self.service.url}/oauth2/token", data=form, auth=self._client)
        token = answer.raise_for_status().json()["access_token"]
        return httpx.Client(base_url=self.service.url, headers={"Authorization": f"Bearer {token}"}, timeout=SECONDS)


@contextmanager
def guarded_service_in(folder: Path) -> Iterator[Guarded]:
    scopes = [part for name in ("events:read", "events:write", "streams:manage") for part in ("--scope", name)]
    client_id, secret, service = guarded_service(folder, *scopes, streams_allow="127.0.0.0/8")
    with service:
        yield Guarded(service, client_id, secret)


def fill(page: ViewerPage, form: str, **fields: str) -> None:
    """Set fields of an open form."""
    for name, value in fields.items():
        field = page.find(f"{form} [name={name}]")
        if field.tag_name == "select":
            Select(field).select_by_value(value)
        else:
            field.clear()
            field.send_keys(value)


def row(page: ViewerPage, name: str) -> list[str]:
    """The texts of the cells of a row."""
    script = """
      const rows = [...document.querySelectorAll(".managed-table tbody tr")];
      return rows.map((row) => [...row.cells].map((cell) => cell.innerText));
    """
    rows: list[list[str]] = page.browser.execute_script(script)
    return next((found for found in rows if found[0].startswith(name)), [])


def in_menu(page: ViewerPage, act: str, name: str) -> None:
    """Choose an act in the menu of a row."""
    press(page, f"More: {name}")
    press(page, f"{act}: {name}")


def problem_of(page: ViewerPage, form: str, field: str) -> str:
    """The words below a field, which the field refers to and which it has the focus for."""
    wrong = page.find(f"{form} [name={field}][aria-invalid=true]")
    described = wrong.get_attribute("aria-describedby")
    return page.find(f"#{described}").text


def press(page: ViewerPage, name: str) -> None:
    """Click on a button of a row."""
    click(page, lambda: page.button(name))


def press_enter(page: ViewerPage, name: str) -> None:
    """Press Enter on a button of a row."""
    _in_row(page, lambda: page.button(name).send_keys(Keys.ENTER))


def click(page: ViewerPage, find: Callable[[], WebElement]) -> None:
    """Click on a part of a row."""
    _in_row(page, lambda: find().click())


def _in_row(page: ViewerPage, act: Callable[[], None]) -> None:
    """Do something in a row, which the page may be replacing."""

    def done() -> bool:
        act()
        return True

    page.until(done, "the row stays stale")
