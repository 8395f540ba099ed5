"""The page of streams in the log viewer: creating and changing one, its state, and what can be done with it."""

from collections.abc import Iterator
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from standardwebhooks import Webhook

from tests.e2e.viewer.managed import HOSTILE, Guarded, fill, in_menu, press, problem_of, row
from tests.e2e.viewer.page import ViewerPage
from tests.e2e.viewer.test_viewer_accessibility import seen_in
from tests.support import forked
from tests.support.axe import violations
from tests.support.receiver import Receiver, Reply, receiver
from tests.support.service import AUDIT_LOG, environment

FORM = "#stream-form"


@pytest.fixture
def endpoint() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def open_page(guarded: Guarded, browser: webdriver.Chrome) -> ViewerPage:
    page = guarded.page(browser, "streams")
    page.find("#streams h2")
    return page


def new_stream(page: ViewerPage, **fields: str) -> None:
    page.button("New stream").click()
    fill(page, FORM, **fields)


def stream_named(guarded: Guarded, name: str) -> dict[str, Any]:
    """A stream as the API has it."""
    with guarded.client() as client:
        streams: list[dict[str, Any]] = client.get("/stream").raise_for_status().json()["streams"]
    return next(stream for stream in streams if stream["name"] == name)


def create(page: ViewerPage, **fields: str) -> str:
    """Create a webhook; its secret."""
    new_stream(page, **fields)
    page.button("Create").click()
    secret = page.find("#stream-secret-value").text
    page.button("Close", "#stream-secret").click()
    page.until(lambda: row(page, fields["name"]), "the stream is not listed")
    return secret


def test_a_webhook_is_created_tested_paused_resumed_and_replayed(
    browser: webdriver.Chrome, guarded: Guarded, endpoint: Receiver
) -> None:
    page = open_page(guarded, browser)
    assert not page.all("#filters, #histogram, #results, #rules")
    fields = {"url": endpoint.url, "headers": "X-Key: canary-header", "filter": "event_type=user.login"}
    secret = create(page, name="hook", **fields)
    assert secret.startswith("whsec_")
    page.until(lambda: page.focused().accessible_name == "New stream", "the focus is lost")
    assert row(page, "hook")[1] == "active"

    press(page, "Send a test: hook")
    page.until(lambda: "was delivered" in page.find("#streams-note").text, "the test is not reported")
    [request] = endpoint.requests
    assert request.headers["x-key"] == "canary-header"
    assert Webhook(secret).verify(request.body, request.headers)["data"][0]["event_type"] == "audit-log.stream.test"

    endpoint.reply = lambda _request: Reply(403, b"canary-of-the-other-side")
    press(page, "Send a test: hook")
    page.until(lambda: "was not delivered" in page.find("#streams-note").text, "the failure is not reported")
    assert "canary" not in page.find("body").text

    page.button("Pause: hook").send_keys(Keys.ENTER)
    page.until(lambda: row(page, "hook")[1] == "paused", "it is not paused")
    page.until(lambda: page.focused().accessible_name == "Resume: hook", "the focus is lost")
    page.keys(Keys.ENTER)
    page.until(lambda: row(page, "hook")[1] == "active", "it is not resumed")

    in_menu(page, "Replay", "hook")
    page.button("Replay", "#stream-replay").click()
    page.until(lambda: "continues from there" in page.find("#streams-note").text, "the replay is not reported")
    assert secret not in browser.page_source
    assert "canary" not in browser.page_source


def test_wrong_fields_are_named_in_the_form_and_nothing_is_created(browser: webdriver.Chrome, guarded: Guarded) -> None:
    page = open_page(guarded, browser)
    new_stream(page, name="bad", url="https://169.254.169.254/", filter="no.such=1")
    page.button("Create").click()
    assert "no field" in problem_of(page, FORM, "filter")
    assert page.focused().get_attribute("name") == "filter"
    page.find(f"{FORM} [name=filter]").clear()
    page.button("Create").click()
    page.until(lambda: "not public" in problem_of(page, FORM, "url"), "the address is not named")
    assert len(page.all(".field-problem")) == 1
    fill(page, FORM, headers="no colon")
    page.button("Create").click()
    assert "Name: value" in problem_of(page, FORM, "headers")
    fill(page, FORM, headers="", customers="everyone")
    page.button("Create").click()
    assert "whole numbers" in problem_of(page, FORM, "customers")
    page.button("Cancel", FORM).click()
    assert row(page, "bad") == []


def test_a_stream_is_edited_and_what_the_form_does_not_show_stays(
    browser: webdriver.Chrome, guarded: Guarded, endpoint: Receiver
) -> None:
    page = open_page(guarded, browser)
    create(page, name="edited", url=endpoint.url, headers="X-Key: canary-kept", drop="actor.email", customers="42, -7")
    before = stream_named(guarded, "edited")
    press(page, "Edit: edited")
    assert page.find("#stream-form h2").text == "Edit edited"
    values = {name: page.find(f"{FORM} [name={name}]").get_attribute("value") for name in ("url", "drop", "customers")}
    assert values == {"url": endpoint.url, "drop": "actor.email", "customers": "42, -7"}
    assert not page.find(f"{FORM} [name=kind]").is_enabled()
    assert not page.all(f"{FORM} [name=headers], {FORM} [name=after]")
    fill(page, FORM, name="renamed", format="ocsf", drop="", hash="actor.id")
    page.button("Save").click()
    page.until(lambda: row(page, "renamed"), "the stream is not renamed")
    assert page.find("#streams-note").text == "renamed was changed."
    page.until(lambda: page.focused().accessible_name == "Edit: renamed", "the focus is lost")
    after = stream_named(guarded, "renamed")
    changed = {"name": "renamed", "format": "ocsf", "drop": [], "hash": ["actor.id"]}
    progress = {name: after[name] for name in ("version", "changed_at", "position", "behind_seconds")}
    assert after == {**before, **changed, **progress}

    press(page, "Send a test: renamed")
    page.until(lambda: endpoint.requests, "the test is not sent")
    assert endpoint.requests[-1].headers["x-key"] == "canary-kept"
    press(page, "Edit: renamed")
    page.find(f"{FORM} [name=replace_secrets]").click()
    fill(page, FORM, headers="X-Other: canary-new")
    page.button("Save").click()
    page.until(lambda: page.focused().accessible_name == "Edit: renamed", "it is not saved")
    count = len(endpoint.requests)
    press(page, "Send a test: renamed")
    page.until(lambda: len(endpoint.requests) > count, "the test is not sent")
    sent = endpoint.requests[-1].headers
    assert ("x-key" in sent, sent["x-other"]) == (False, "canary-new")
    assert "canary" not in browser.page_source


def test_a_change_of_somebody_else_in_between_is_not_lost(
    browser: webdriver.Chrome, guarded: Guarded, endpoint: Receiver
) -> None:
    page = open_page(guarded, browser)
    create(page, name="shared", url=endpoint.url)
    press(page, "Edit: shared")
    fill(page, FORM, filter="event_type=mine")
    stream = stream_named(guarded, "shared")
    theirs = {name: stream[name] for name in ("name", "destination", "format", "drop", "hash", "customers", "batch")}
    with guarded.client() as client:
        headers = {"If-Match": f'"{stream["version"]}"'}
        path = f"/stream/{stream['stream_id']}"
        client.put(path, json={**theirs, "filter": "event_type=theirs"}, headers=headers).raise_for_status()
    page.button("Save").click()
    assert "Somebody else has changed this meanwhile" in page.find("#stream-form-problem").text
    page.until(lambda: page.focused().text == "Load the newest version", "the way out has no focus")
    page.keys(Keys.ENTER)
    field = page.find(f"{FORM} [name=filter]")
    page.until(lambda: field.get_attribute("value") == "event_type=theirs", "the newest version is not loaded")
    assert not page.all("#stream-form-problem")
    fill(page, FORM, format="cloudevents")
    page.button("Save").click()
    page.until(lambda: stream_named(guarded, "shared")["format"] == "cloudevents", "it is not saved")
    assert stream_named(guarded, "shared")["filter"] == "event_type=theirs"


def test_a_new_secret_is_shown_once_and_both_sign(
    browser: webdriver.Chrome, guarded: Guarded, endpoint: Receiver
) -> None:
    page = open_page(guarded, browser)
    former = create(page, name="rotated", url=endpoint.url)
    in_menu(page, "New secret", "rotated")
    page.button("Cancel", "#confirm").click()
    page.until(lambda: page.focused().accessible_name == "More: rotated", "the focus is lost")
    in_menu(page, "New secret", "rotated")
    page.button("New secret", "#confirm").click()
    new = page.find("#stream-secret-value").text
    assert new.startswith("whsec_")
    assert new != former
    page.button("Close", "#stream-secret").click()
    assert page.find("#streams-note").text == "rotated has a new secret."
    page.until(lambda: new not in browser.page_source, "the secret stays in the page")
    press(page, "Send a test: rotated")
    page.until(lambda: endpoint.requests, "the test is not sent")
    for secret in (former, new):
        Webhook(secret).verify(endpoint.requests[-1].body, endpoint.requests[-1].headers)


def test_a_stream_is_deleted_after_a_question(browser: webdriver.Chrome, guarded: Guarded, endpoint: Receiver) -> None:
    page = open_page(guarded, browser)
    create(page, name="doomed", url=endpoint.url)
    in_menu(page, "Delete", "doomed")
    assert page.find("#confirm").accessible_name == "Delete doomed?"
    assert "secrets are lost" in page.find("#confirm").text
    assert page.focused().text == "Cancel"
    page.keys(Keys.ESCAPE)
    page.until(lambda: not page.all("#confirm"), "the question stays")
    assert row(page, "doomed")
    in_menu(page, "Delete", "doomed")
    page.button("Delete", "#confirm").click()
    page.until(lambda: not row(page, "doomed"), "it is still listed")
    assert page.find("#streams-note").text == "doomed was deleted."
    page.until(lambda: page.focused().get_attribute("id") == "streams-title", "the focus is lost")


def test_a_name_with_markup_is_text_everywhere(browser: webdriver.Chrome, guarded: Guarded, endpoint: Receiver) -> None:
    page = open_page(guarded, browser)
    create(page, name=HOSTILE, url=endpoint.url)
    assert row(page, HOSTILE)[0].startswith(HOSTILE)
    press(page, f"Pause: {HOSTILE}")
    page.until(lambda: page.find("#streams-note").text == f"{HOSTILE}: paused.", "it is not named")
    press(page, f"Edit: {HOSTILE}")
    assert page.find("#stream-form h2").text == f"Edit {HOSTILE}"
    assert page.find(f"{FORM} [name=name]").get_attribute("value") == HOSTILE
    page.button("Cancel", FORM).click()
    in_menu(page, "Delete", HOSTILE)
    assert page.find("#confirm h2").text == f"Delete {HOSTILE}?"
    page.button("Delete", "#confirm").click()
    page.until(lambda: page.find("#streams-note").text == f"{HOSTILE} was deleted.", "it is not named")
    assert not page.browser.find_elements(By.CSS_SELECTOR, "#streams img, #streams b, dialog img, dialog b")


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
    page = open_page(guarded, browser)
    new_stream(page, kind=kind)
    fields = page.all("#stream-form [data-kinds] :is(input, select, textarea)")
    assert {field.get_attribute("name") for field in fields} == shown


def test_a_client_without_the_scope_sees_no_link_and_is_refused(browser: webdriver.Chrome, guarded: Guarded) -> None:
    data = guarded.service.data_dir
    create = [AUDIT_LOG, "client", "create", "--name", "reader", "--scope", "events:read"]
    made = forked.run(create, env=environment(data, auth="clients"), check=True)
    client_id, secret = (line.split()[-1] for line in made.stdout.splitlines() if line.startswith("client_"))
    page = Guarded(guarded.service, client_id, secret).page(browser, "streams")
    page.until(lambda: "streams:manage" in page.find("#streams-problem").text, "the refusal is not shown")
    assert not page.all("#streams-link, #rules-link")
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
@pytest.mark.parametrize("width", [1280, 640, 320])
def test_no_state_of_the_page_breaks_a_rule_of_accessibility(
    browser: webdriver.Chrome, guarded: Guarded, endpoint: Receiver, scheme: str, width: int
) -> None:
    name = f"axe {scheme} {width}"
    with seen_in(browser, scheme, width):
        page = open_page(guarded, browser)
        new_stream(page, name=name, url=endpoint.url, filter="no.such=1")
        page.button("Create").click()
        problem_of(page, FORM, "filter")
        assert violations(browser) == []
        fill(page, FORM, filter="")
        page.button("Create").click()
        page.find("#stream-secret-value")
        assert violations(browser) == []
        page.button("Close", "#stream-secret").click()
        page.until(lambda: row(page, name), "the stream is not listed")
        assert violations(browser) == []
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        press(page, f"Edit: {name}")
        assert violations(browser) == []
        page.button("Cancel", FORM).click()
        press(page, f"More: {name}")
        assert violations(browser) == []
        press(page, f"Delete: {name}")
        assert violations(browser) == []
        page.button("Delete", "#confirm").click()
        page.until(lambda: not row(page, name), "it is still listed")
