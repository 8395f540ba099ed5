"""The page of alert rules, as tests use it."""

from typing import Any

from selenium.webdriver.remote.webdriver import WebDriver

from tests.browsers.viewer.managed import Guarded, fill, row
from tests.browsers.viewer.page import ViewerPage
from tests.support.builders import new_event

FORM = "#rule-form"
RIGHT_TO_LEFT = "\u202eright to left\u202c"
MARKUP = '<img src=x onerror="document.title=1">'
LOGIN = "viewer.rules.login"


def open_page(guarded: Guarded, browser: WebDriver) -> ViewerPage:
    return guarded.opened(browser, "rules")


def new_rule(page: ViewerPage, **fields: str) -> None:
    page.button("New rule").click()
    fill(page, FORM, **fields)


def create(page: ViewerPage, **fields: str) -> None:
    new_rule(page, **fields)
    page.button("Create").click()
    page.until(lambda: row(page, fields["name"]), "the rule is not listed")


def rule_named(guarded: Guarded, name: str) -> dict[str, Any]:
    """A rule as the API has it."""
    return guarded.named("/alert-rule", name)


def failed_logins(page: ViewerPage, guarded: Guarded, *actors: str) -> None:
    """Two failed logins of each actor, which are in the log when this returns."""
    failure = [{"actor": {"id": actor}, "outcome": "failure"} for actor in actors for _ in range(2)]
    with guarded.client() as client:
        sent = [new_event(customer_id=42, event_type=LOGIN, event_data=data) for data in failure]
        client.post("/events", json={"events": sent}).raise_for_status()
        after = {"event_type": LOGIN, "limit": "1000"}
        page.until(lambda: client.get("/event/feed", params=after).json()["count"] >= len(sent), "nothing is stored")
