"""The page of alert rules in the log viewer: creating, trying, changing and deleting one."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.browsers.viewer.managed import Guarded, fill, in_menu, problem_of, row
from tests.browsers.viewer.rule_page import FORM, MARKUP, RIGHT_TO_LEFT, new_rule, open_page
from tests.browsers.viewer.test_viewer_accessibility import seen_in
from tests.browsers.viewer.test_viewer_languages import PHONE_PIXELS, fits
from tests.support.axe import violations


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("threshold", {"threshold", "window_seconds", "unit"}),
        ("first_seen", {"path", "forget_days"}),
        ("absence", {"window_seconds", "unit"}),
    ],
)
def test_the_form_has_the_fields_of_the_kind(
    browser: webdriver.Chrome, guarded: Guarded, kind: str, shown: set[str]
) -> None:
    page = open_page(guarded, browser)
    new_rule(page, kind=kind)
    fields = page.all(f"{FORM} [data-kinds] :is(input, select)")
    assert {field.get_attribute("name") for field in fields} == shown
    assert len(page.all(f"{FORM} p[data-kinds]")) == 1


def test_wrong_fields_are_named_below_them(browser: webdriver.Chrome, guarded: Guarded) -> None:
    page = open_page(guarded, browser)
    new_rule(page, name="bad", threshold="2", window_seconds="40", unit="86400", filter="no.such=1", group_by="actor")
    page.button("Create").click()
    assert "no field" in problem_of(page, FORM, "filter")
    assert "must be customer_id" in problem_of(page, FORM, "group_by")
    assert problem_of(page, FORM, "window_seconds")
    assert page.focused().get_attribute("name") == "filter"
    fill(page, FORM, filter="", group_by="", unit="1", customers="x")
    page.button("Preview").click()
    assert "whole numbers" in problem_of(page, FORM, "customers")
    page.button("Cancel", FORM).click()
    page.button("New rule").click()
    assert not page.all("[aria-invalid], .field-problem")
    assert row(page, "bad") == []


def hostile(name: str) -> dict[str, Any]:
    rule = dict.fromkeys(("position", "learns_until", "customers", "forget_days", "threshold", "window_seconds"))
    times = {"created_at": "2026-01-31T12:00:00Z", "changed_at": "2026-01-31T12:00:00Z", "last_alert_at": None}
    fields = {"rule_id": "rule-1", "kind": "first_seen", "path": f"event_data.{MARKUP}", "filter": "", "group_by": []}
    return {**rule, **times, **fields, "name": name, "state": "active", "forgotten": 0, "version": 1}


@pytest.mark.parametrize("name", [MARKUP, RIGHT_TO_LEFT, "x" * 10_000], ids=["markup", "right to left", "10 kB"])
def test_a_name_that_the_service_would_refuse_harms_nothing(
    browser: webdriver.Chrome, guarded: Guarded, before_the_page: Callable[[str], None], name: str
) -> None:
    answer = json.dumps(json.dumps({"alert_rules": [hostile(name)]}))
    before_the_page(f"""
      const fetched = window.fetch;
      window.fetch = (url, options) => String(url).includes("/alert-rule")
        ? Promise.resolve(new Response({answer}))
        : fetched(url, options);
    """)
    with seen_in(browser, "light", 640):
        page = open_page(guarded, browser)
        page.until(lambda: page.all(".managed-table"), "the rule is not listed")
        head = page.find(".managed-table th[scope=row]").text
        assert "\u202e" not in head
        assert MARKUP in head  # of the path
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 640
        assert not page.browser.find_elements(By.CSS_SELECTOR, "#rules img")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 640, 320])
def test_no_state_of_the_page_breaks_a_rule_of_accessibility(
    browser: webdriver.Chrome, guarded: Guarded, scheme: str, width: int
) -> None:
    name = f"axe {scheme} {width}"
    with seen_in(browser, scheme, width):
        page = open_page(guarded, browser)
        new_rule(page, name=name, threshold="5", window_seconds="1", filter="no.such=1")
        page.button("Create").click()
        problem_of(page, FORM, "filter")
        assert violations(browser) == []
        fill(page, FORM, filter="")
        page.button("Preview").click()
        page.until(lambda: "The rule counted" in page.find("#rule-preview").text, "the preview is not shown")
        assert violations(browser) == []
        page.button("Create").click()
        page.until(lambda: row(page, name), "the rule is not listed")
        assert violations(browser) == []
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        in_menu(page, "Delete", name)
        assert violations(browser) == []
        page.button("Delete", "#confirm").click()
        page.until(lambda: not row(page, name), "it is still listed")


@pytest.mark.parametrize("lang", ["de", "fr"])
def test_long_words_fit_a_phone(browser: webdriver.Chrome, guarded: Guarded, lang: str) -> None:
    with guarded.client() as client:
        body = {"name": f"long {lang}", "kind": "absence", "window_seconds": 60, "filter": "event_type=viewer.none"}
        client.post("/alert-rule", json=body).raise_for_status()
    with seen_in(browser, "light", PHONE_PIXELS):
        for name in ("streams", "rules"):
            page = guarded.page(browser, name, lang=lang)
            page.find(f"#{name}-list > *")
            fits(page)
            page.find(f"#{name} .managed-head button").click()
            page.find("dialog[open] button.primary")
            fits(page)
