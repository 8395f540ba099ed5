"""The page of streams in the log viewer: creating one, its state, and what can be done with it."""

import subprocess
from collections.abc import Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from standardwebhooks import Webhook

from tests.e2e.viewer.page import ViewerPage
from tests.e2e.viewer.test_viewer_accessibility import seen_in
from tests.e2e.viewer.test_viewer_sign_in import guarded_service
from tests.support.axe import violations
from tests.support.receiver import Receiver, Reply, receiver
from tests.support.service import AUDIT_LOG, Service, environment


class Guarded:
    """A service with a client that may manage streams, and the page of streams."""

    def __init__(self, service: Service, client_id: str, secret: str) -> None:
        self.service = service
        self._client = client_id, secret

    def page(self, browser: webdriver.Chrome, view: str = "streams") -> ViewerPage:
        page = ViewerPage(browser, self.service.url, view)
        client_id, secret = self._client
        page.find("[name=client_id]").send_keys(client_id)
        page.find("[name=client_secret]").send_keys(secret)
        page.button("Sign in").click()
        return page


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    scopes = ["--scope", "events:read", "--scope", "streams:manage"]
    folder = tmp_path_factory.mktemp("streams")
    client_id, secret, service = guarded_service(folder, *scopes, streams_allow="127.0.0.0/8")
    with service:
        yield Guarded(service, client_id, secret)


@pytest.fixture
def endpoint() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def fill(page: ViewerPage, **fields: str) -> None:
    """Open the form of a new stream and fill its fields."""
    page.button("New stream").click()
    for name, value in fields.items():
        field = page.find(f"#stream-form [name={name}]")
        if field.tag_name == "select":
            Select(field).select_by_value(value)
        else:
            field.send_keys(value)


def row(page: ViewerPage, name: str) -> list[str]:
    """The texts of a stream's cells."""
    script = """
      const rows = [...document.querySelectorAll(".streams-table tbody tr")];
      return rows.map((row) => [...row.cells].map((cell) => cell.innerText));
    """
    rows: list[list[str]] = page.browser.execute_script(script)
    return next((found for found in rows if found[0].startswith(name)), [])


def test_a_webhook_is_created_tested_paused_resumed_and_replayed(
    browser: webdriver.Chrome, guarded: Guarded, endpoint: Receiver
) -> None:
    page = guarded.page(browser)
    page.until(lambda: page.all("#streams h2"), "the page of streams is not shown")
    assert not page.all("#filters, #histogram, #results")
    fill(page, name="hook", url=endpoint.url, headers="X-Key: canary-header", filter="event_type=user.login")
    page.button("Create").click()
    secret = page.find("#stream-secret-value").text
    assert secret.startswith("whsec_")
    page.button("Close", "#stream-secret").click()
    page.until(lambda: row(page, "hook"), "the stream is not listed")
    assert row(page, "hook")[1] == "active"

    page.button("Send a test: hook").click()
    page.until(lambda: "was delivered" in page.find("#streams-note").text, "the test is not reported")
    [request] = endpoint.requests
    assert request.headers["x-key"] == "canary-header"
    assert Webhook(secret).verify(request.body, request.headers)["data"][0]["event_type"] == "audit-log.stream.test"

    endpoint.reply = lambda _request: Reply(403, b"canary-of-the-other-side")
    page.button("Send a test: hook").click()
    page.until(lambda: "was not delivered" in page.find("#streams-note").text, "the failure is not reported")
    assert "canary" not in page.find("body").text

    page.button("Pause: hook").send_keys(Keys.ENTER)
    page.until(lambda: row(page, "hook")[1] == "paused", "it is not paused")
    page.until(lambda: page.focused().accessible_name == "Resume: hook", "the focus is lost")
    page.keys(Keys.ENTER)
    page.until(lambda: row(page, "hook")[1] == "active", "it is not resumed")

    page.button("Replay: hook").click()
    page.button("Replay", "#stream-replay").click()
    page.until(lambda: "continues from there" in page.find("#streams-note").text, "the replay is not reported")
    assert secret not in browser.page_source
    assert "canary" not in browser.page_source


def test_wrong_fields_are_named_in_the_form_and_nothing_is_created(browser: webdriver.Chrome, guarded: Guarded) -> None:
    page = guarded.page(browser)
    fill(page, name="bad", url="https://169.254.169.254/", filter="no.such=1")
    page.button("Create").click()
    page.until(lambda: "filter" in page.find("#stream-form-problem").text, "the filter is not named")
    page.find("#stream-form [name=filter]").clear()
    page.button("Create").click()
    page.until(lambda: "not public" in page.find("#stream-form-problem").text, "the address is not named")
    page.find("#stream-form [name=headers]").send_keys("no colon")
    page.button("Create").click()
    page.until(lambda: "Name: value" in page.find("#stream-form-problem").text, "the header is not named")
    page.button("Cancel", "#stream-form").click()
    assert row(page, "bad") == []


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("http", {"url", "body", "headers"}),
        ("splunk", {"url", "token", "index"}),
        ("otlp", {"url", "headers"}),
        ("s3", {"bucket", "region", "prefix", "access_key_id", "secret_access_key"}),
    ],
)
def test_the_form_has_the_fields_of_the_kind(
    browser: webdriver.Chrome, guarded: Guarded, kind: str, shown: set[str]
) -> None:
    page = guarded.page(browser)
    fill(page, kind=kind)
    fields = page.all("#stream-form [data-kinds] :is(input, select, textarea)")
    assert {field.get_attribute("name") for field in fields} == shown


def test_a_client_without_the_scope_sees_no_link_and_is_refused(browser: webdriver.Chrome, guarded: Guarded) -> None:
    data = guarded.service.data_dir
    create = [AUDIT_LOG, "client", "create", "--name", "reader", "--scope", "events:read"]
    made = subprocess.run(create, env=environment(data, auth="clients"), capture_output=True, text=True, check=True)
    client_id, secret = (line.split()[-1] for line in made.stdout.splitlines() if line.startswith("client_"))
    page = Guarded(guarded.service, client_id, secret).page(browser)
    page.until(lambda: "streams:manage" in page.find("#streams-problem").text, "the refusal is not shown")
    assert not page.all("#streams-link")
    page.find("#streams a").click()
    page.loaded()
    assert not page.all("#streams")


def test_the_link_leads_to_the_page_and_back_to_the_events(browser: webdriver.Chrome, guarded: Guarded) -> None:
    page = guarded.page(browser, "last=7d").loaded()
    page.find("#streams-link").click()
    assert page.find("#streams h2").text == "Streams"
    browser.back()
    page.loaded()
    assert page.all("#filters")
    assert not page.all("#streams")
    assert page.view() == {"last": "7d"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_no_state_of_the_page_breaks_a_rule_of_accessibility(
    browser: webdriver.Chrome, guarded: Guarded, endpoint: Receiver, scheme: str, width: int
) -> None:
    with seen_in(browser, scheme, width):
        page = guarded.page(browser)
        fill(page, name=f"axe {scheme} {width}", url=endpoint.url)
        assert violations(browser) == []
        page.button("Create").click()
        page.find("#stream-secret-value")
        assert violations(browser) == []
        page.button("Close", "#stream-secret").click()
        page.until(lambda: row(page, f"axe {scheme} {width}"), "the stream is not listed")
        assert violations(browser) == []
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        page.browser.find_element(By.CSS_SELECTOR, "button[aria-label^=Replay]").click()
        assert violations(browser) == []
