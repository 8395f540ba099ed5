"""The page of alert rules in the log viewer: creating, trying, changing and deleting one."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.e2e.viewer.managed import HOSTILE, Guarded, click, fill, in_menu, press, problem_of, row
from tests.e2e.viewer.page import ViewerPage
from tests.e2e.viewer.test_viewer_accessibility import seen_in
from tests.e2e.viewer.test_viewer_languages import PHONE_PIXELS, fits
from tests.support.axe import violations
from tests.support.builders import new_event

FORM = "#rule-form"
RIGHT_TO_LEFT = "\u202eright to left\u202c"
MARKUP = '<img src=x onerror="document.title=1">'
LOGIN = "viewer.rules.login"


def open_page(guarded: Guarded, browser: webdriver.Chrome) -> ViewerPage:
    page = guarded.page(browser, "rules")
    page.find("#rules h2")
    return page


def new_rule(page: ViewerPage, **fields: str) -> None:
    page.button("New rule").click()
    fill(page, FORM, **fields)


def create(page: ViewerPage, **fields: str) -> None:
    new_rule(page, **fields)
    page.button("Create").click()
    page.until(lambda: row(page, fields["name"]), "the rule is not listed")


def rule_named(guarded: Guarded, name: str) -> dict[str, Any]:
    """A rule as the API has it."""
    with guarded.client() as client:
        rules: list[dict[str, Any]] = client.get("/alert-rule").raise_for_status().json()["alert_rules"]
    return next(rule for rule in rules if rule["name"] == name)


def failed_logins(page: ViewerPage, guarded: Guarded, *actors: str) -> None:
    """Two failed logins of each actor, which are in the log when this returns."""
    failure = [{"actor": {"id": actor}, "outcome": "failure"} for actor in actors for _ in range(2)]
    with guarded.client() as client:
        sent = [new_event(customer_id=42, event_type=LOGIN, event_data=data) for data in failure]
        client.post("/events", json={"events": sent}).raise_for_status()
        after = {"event_type": LOGIN, "limit": "1000"}
        page.until(lambda: client.get("/event/feed", params=after).json()["count"] >= len(sent), "nothing is stored")


def test_a_rule_is_created_paused_resumed_edited_and_deleted(browser: webdriver.Chrome, guarded: Guarded) -> None:
    page = open_page(guarded, browser)
    assert not page.all("#filters, #histogram, #results, #streams")
    create(
        page,
        name="failed logins",
        filter="event_type=user.login&event_data.outcome=failure",
        threshold="5",
        window_seconds="5",
        group_by="customer_id\nevent_data.actor.id",
        customers="42",
    )
    assert row(page, "failed logins")[:3] == ["failed logins\n5 events within 5 minutes", "active", "never"]
    page.until(lambda: page.focused().accessible_name == "New rule", "the focus is lost")
    made = rule_named(guarded, "failed logins")
    expected = {
        "kind": "threshold",
        "threshold": 5,
        "window_seconds": 300,
        "group_by": ["customer_id", "event_data.actor.id"],
        "customers": [42],
        "path": None,
    }
    assert made == {**made, **expected}

    page.button("Pause: failed logins").send_keys(Keys.ENTER)
    page.until(lambda: row(page, "failed logins")[1] == "paused", "it is not paused")
    page.until(lambda: page.focused().accessible_name == "Resume: failed logins", "the focus is lost")
    page.keys(Keys.ENTER)
    page.until(lambda: row(page, "failed logins")[1] == "active", "it is not resumed")

    press(page, "Edit: failed logins")
    names = ("window_seconds", "unit", "group_by")
    values = [page.find(f"{FORM} [name={name}]").get_attribute("value") for name in names]
    assert values == ["5", "60", "customer_id\nevent_data.actor.id"]
    fill(page, FORM, kind="absence", unit="86400", name="nightly job", group_by="")
    page.button("Save").click()
    page.until(lambda: row(page, "nightly job"), "it is not changed")
    assert row(page, "nightly job")[0] == "nightly job\nno event for 5 days"
    changed = rule_named(guarded, "nightly job")
    assert (changed["threshold"], changed["window_seconds"], changed["group_by"]) == (None, 432_000, [])

    in_menu(page, "Delete", "nightly job")
    assert "Its alerts stay in the log." in page.find("#confirm").text
    page.button("Delete", "#confirm").click()
    page.until(lambda: not row(page, "nightly job"), "it is still listed")
    page.until(lambda: page.focused().get_attribute("id") == "rules-title", "the focus is lost")


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


def test_a_preview_shows_when_a_rule_would_have_fired_and_stores_nothing(
    browser: webdriver.Chrome, guarded: Guarded
) -> None:
    page = open_page(guarded, browser)
    long = "x" * 10_000
    failed_logins(page, guarded, MARKUP, RIGHT_TO_LEFT, long)
    new_rule(page, name=HOSTILE, filter=f"event_type={LOGIN}", threshold="2", window_seconds="1", unit="3600")
    fill(page, FORM, group_by="event_data.actor.id")
    page.button("Preview").click()
    page.until(lambda: "3 times" in page.find("#rule-preview").text, "the preview is not shown")
    shown = page.find("#rule-preview").text
    assert "The rule counted 6 events" in shown
    assert MARKUP in shown
    assert "\\u202eright to left\\u202c" in shown
    assert long[:101] not in shown
    assert not page.browser.find_elements(By.CSS_SELECTOR, "#rule-preview img")
    fill(page, FORM, threshold="3")
    assert not page.all("#rule-preview")  # it was that of another rule
    page.button("Preview").click()
    page.until(lambda: "would not have fired" in page.find("#rule-preview").text, "the preview is not shown")
    page.button("Cancel", FORM).click()
    assert row(page, HOSTILE) == []


def test_the_last_alert_leads_to_the_alerts_of_the_rule(browser: webdriver.Chrome, guarded: Guarded) -> None:
    page = open_page(guarded, browser)
    create(page, name="fires", filter=f"event_type={LOGIN}", threshold="1", window_seconds="1")
    failed_logins(page, guarded, "ada")
    page.until(lambda: row(page, "fires")[2] != "never", "it does not fire")
    click(page, lambda: page.find(".managed-table .link"))
    page.until(lambda: page.view().get("event_data.subject"), "the events are not shown")
    page.loaded()
    assert page.view()["event_data.subject"] == rule_named(guarded, "fires")["rule_id"]
    assert page.types() == ["audit-log.alert"]


def test_a_change_of_somebody_else_in_between_is_not_lost(browser: webdriver.Chrome, guarded: Guarded) -> None:
    page = open_page(guarded, browser)
    create(page, name="shared", threshold="5", window_seconds="5")
    press(page, "Edit: shared")
    fill(page, FORM, threshold="6")
    rule = rule_named(guarded, "shared")
    theirs = {name: rule[name] for name in ("name", "kind", "filter", "window_seconds")}
    with guarded.client() as client:
        headers = {"If-Match": f'"{rule["version"]}"'}
        path = f"/alert-rule/{rule['rule_id']}"
        client.put(path, json={**theirs, "threshold": 7}, headers=headers).raise_for_status()
    page.button("Save").click()
    page.button("Load the newest version").click()
    field = page.find(f"{FORM} [name=threshold]")
    page.until(lambda: field.get_attribute("value") == "7", "the newest version is not loaded")
    page.button("Cancel", FORM).click()
    assert rule_named(guarded, "shared")["threshold"] == 7


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
