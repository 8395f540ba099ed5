"""The page of streams, as tests use it."""

from typing import Any

from selenium.webdriver.remote.webdriver import WebDriver

from tests.browsers.viewer.managed import Guarded, fill, row
from tests.browsers.viewer.page import ViewerPage
from tests.support.receiver import Received, Receiver

FORM = "#stream-form"


def open_page(guarded: Guarded, browser: WebDriver) -> ViewerPage:
    return guarded.opened(browser, "streams")


def new_stream(page: ViewerPage, **fields: str) -> None:
    page.button("New stream").click()
    fill(page, FORM, **fields)


def stream_named(guarded: Guarded, name: str) -> dict[str, Any]:
    """A stream as the API has it."""
    return guarded.named("/stream", name)


def create(page: ViewerPage, **fields: str) -> str:
    """Create a webhook; its secret."""
    new_stream(page, **fields)
    page.button("Create").click()
    secret = page.find("#stream-secret-value").text
    page.button("Close", "#stream-secret").click()
    page.until(lambda: row(page, fields["name"]), "the stream is not listed")
    return secret


def trials(endpoint: Receiver) -> list[Received]:
    """The requests of *Send a test*. The stream itself sends the events that record its changes, to the same place."""
    return [request for request in endpoint.requests if b'"audit-log.stream.test"' in request.body]
