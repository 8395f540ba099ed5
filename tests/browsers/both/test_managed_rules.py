"""What somebody does with alert rules in the log viewer, in each browser."""

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver

from tests.browsers.viewer.managed import HOSTILE, Guarded, click, fill, in_menu, press, press_enter, row
from tests.browsers.viewer.rule_page import (
    FORM,
    LOGIN,
    MARKUP,
    RIGHT_TO_LEFT,
    create,
    failed_logins,
    new_rule,
    open_page,
    rule_named,
)


def test_a_rule_is_created_paused_resumed_edited_and_deleted(browser: WebDriver, guarded: Guarded) -> None:
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

    press_enter(page, "Pause: failed logins")
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


def test_a_preview_shows_when_a_rule_would_have_fired_and_stores_nothing(browser: WebDriver, guarded: Guarded) -> None:
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


def test_the_last_alert_leads_to_the_alerts_of_the_rule(browser: WebDriver, guarded: Guarded) -> None:
    page = open_page(guarded, browser)
    create(page, name="fires", filter=f"event_type={LOGIN}", threshold="1", window_seconds="1")
    failed_logins(page, guarded, "ada")
    page.until(lambda: row(page, "fires")[2] != "never", "it does not fire")
    click(page, lambda: page.find(".managed-table .link"))
    page.until(lambda: page.view().get("event_data.subject"), "the events are not shown")
    page.loaded()
    assert page.view()["event_data.subject"] == rule_named(guarded, "fires")["rule_id"]
    assert page.types() == ["audit-log.alert"]


def test_a_change_of_somebody_else_in_between_is_not_lost(browser: WebDriver, guarded: Guarded) -> None:
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
