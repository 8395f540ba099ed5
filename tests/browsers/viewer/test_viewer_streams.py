"""The page of streams in the log viewer: creating and changing one, its state, and what can be done with it."""

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.browsers.viewer.managed import HOSTILE, Guarded, fill, in_menu, press, problem_of, row
from tests.browsers.viewer.stream_page import FORM, create, new_stream, open_page
from tests.browsers.viewer.test_viewer_accessibility import seen_in
from tests.support import forked
from tests.support.axe import violations
from tests.support.receiver import Receiver
from tests.support.service import AUDIT_LOG, environment


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


def test_a_name_with_markup_is_text_everywhere(browser: webdriver.Chrome, guarded: Guarded, endpoint: Receiver) -> None:
    page = open_page(guarded, browser)
    create(page, name=HOSTILE, url=endpoint.url)
    assert row(page, HOSTILE)[0].startswith(HOSTILE)
    press(page, f"Pause: {HOSTILE}")
    page.until(lambda: page.find("#streams-note").text == f"{HOSTILE}: paused.", "it is not named")
    press(page, f"Edit: {HOSTILE}")
    page.reads("#stream-form h2", f"Edit {HOSTILE}")
    assert page.find(f"{FORM} [name=name]").get_attribute("value") == HOSTILE
    page.button("Cancel", FORM).click()
    in_menu(page, "Delete", HOSTILE)
    page.reads("#confirm h2", f"Delete {HOSTILE}?")
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
    page.reads("#streams h2", "Streams")
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
