"""What somebody does with streams in the log viewer, in each browser."""

from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from standardwebhooks import Webhook

from tests.browsers.viewer.managed import Guarded, fill, in_menu, press, press_enter, row
from tests.browsers.viewer.stream_page import FORM, create, open_page, stream_named, trials
from tests.support.builders import new_event
from tests.support.receiver import OK, Receiver, Reply


def test_a_webhook_is_created_tested_paused_resumed_and_replayed(
    browser: WebDriver, guarded: Guarded, endpoint: Receiver
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
    [request] = trials(endpoint)
    assert request.headers["x-key"] == "canary-header"
    assert Webhook(secret).verify(request.body, request.headers)["data"][0]["event_type"] == "audit-log.stream.test"

    endpoint.reply = lambda _request: Reply(403, b"canary-of-the-other-side")
    press(page, "Send a test: hook")
    page.until(lambda: "was not delivered" in page.find("#streams-note").text, "the failure is not reported")
    assert "canary" not in page.find("body").text

    press_enter(page, "Pause: hook")
    page.until(lambda: row(page, "hook")[1] == "paused", "it is not paused")
    page.until(lambda: page.focused().accessible_name == "Resume: hook", "the focus is lost")
    page.keys(Keys.ENTER)
    page.until(lambda: row(page, "hook")[1] == "active", "it is not resumed")

    in_menu(page, "Replay", "hook")
    page.button("Replay", "#stream-replay").click()
    page.until(lambda: "continues from there" in page.find("#streams-note").text, "the replay is not reported")
    assert secret not in browser.page_source
    assert "canary" not in browser.page_source


def test_a_stream_is_edited_and_what_the_form_does_not_show_stays(
    browser: WebDriver, guarded: Guarded, endpoint: Receiver
) -> None:
    page = open_page(guarded, browser)
    create(page, name="edited", url=endpoint.url, headers="X-Key: canary-kept", drop="actor.email", customers="42, -7")
    before = stream_named(guarded, "edited")
    press(page, "Edit: edited")
    page.reads("#stream-form h2", "Edit edited")
    values = {name: page.find(f"{FORM} [name={name}]").get_attribute("value") for name in ("url", "drop", "customers")}
    assert values == {"url": endpoint.url, "drop": "actor.email", "customers": "42, -7"}
    assert not page.find(f"{FORM} [name=kind]").is_enabled()
    assert not page.all(f"{FORM} [name=headers], {FORM} [name=after]")
    fill(page, FORM, name="renamed", format="ocsf", drop="", hash="actor.id")
    page.button("Save").click()
    page.until(lambda: row(page, "renamed"), "the stream is not renamed")
    page.reads("#streams-note", "renamed was changed.")
    page.until(lambda: page.focused().accessible_name == "Edit: renamed", "the focus is lost")
    after = stream_named(guarded, "renamed")
    changed = {"name": "renamed", "format": "ocsf", "drop": [], "hash": ["actor.id"]}
    progress = {name: after[name] for name in ("version", "changed_at", "position", "behind_seconds")}
    assert after == {**before, **changed, **progress}

    press(page, "Send a test: renamed")
    page.until(lambda: trials(endpoint), "the test is not sent")
    assert trials(endpoint)[-1].headers["x-key"] == "canary-kept"
    press(page, "Edit: renamed")
    page.find(f"{FORM} [name=replace_secrets]").click()
    fill(page, FORM, headers="X-Other: canary-new")
    page.button("Save").click()
    page.until(lambda: page.focused().accessible_name == "Edit: renamed", "it is not saved")
    count = len(trials(endpoint))
    press(page, "Send a test: renamed")
    page.until(lambda: len(trials(endpoint)) > count, "the test is not sent")
    sent = trials(endpoint)[-1].headers
    assert ("x-key" in sent, sent["x-other"]) == (False, "canary-new")
    assert "canary" not in browser.page_source


def test_a_change_of_somebody_else_in_between_is_not_lost(
    browser: WebDriver, guarded: Guarded, endpoint: Receiver
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


def test_a_new_secret_is_shown_once_and_both_sign(browser: WebDriver, guarded: Guarded, endpoint: Receiver) -> None:
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
    page.reads("#streams-note", "rotated has a new secret.")
    page.until(lambda: new not in browser.page_source, "the secret stays in the page")
    press(page, "Send a test: rotated")
    page.until(lambda: trials(endpoint), "the test is not sent")
    for secret in (former, new):
        Webhook(secret).verify(trials(endpoint)[-1].body, trials(endpoint)[-1].headers)


def test_a_stream_is_deleted_after_a_question(browser: WebDriver, guarded: Guarded, endpoint: Receiver) -> None:
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
    page.reads("#streams-note", "doomed was deleted.")
    page.until(lambda: page.focused().get_attribute("id") == "streams-title", "the focus is lost")


def test_refused_events_are_sent_again(browser: WebDriver, guarded: Guarded, endpoint: Receiver) -> None:
    page = open_page(guarded, browser)
    endpoint.reply = lambda request: Reply(400 if b"poison" in request.body else 200)
    create(page, name="refusing", url=endpoint.url, filter="event_type=viewer.resend")
    numbers = ["poison 1", "2", "poison 3"]
    with guarded.client() as client:
        sent = [new_event(event_type="viewer.resend", event_data={"number": number}) for number in numbers]
        client.post("/events", json={"events": sent}).raise_for_status()
    page.until(lambda: row(page, "refusing")[3] == "2", "the refused events are not counted")

    endpoint.reply = lambda request: Reply(400 if b"poison 3" in request.body else 200)
    in_menu(page, "Send the refused again", "refusing")
    note = "refusing: 1 of the refused events were delivered, 1 are left."
    page.until(lambda: page.find("#streams-note").text == note, "the result is not reported")
    page.until(lambda: row(page, "refusing")[3] == "1", "the refused event is still counted")

    endpoint.reply = lambda _request: OK
    in_menu(page, "Send the refused again", "refusing")
    page.until(lambda: row(page, "refusing")[3] == "0", "the refused event is still counted")
    assert b"poison 3" in endpoint.requests[-1].body
    press(page, "More: refusing")
    assert not [act for act in page.all("button") if act.accessible_name.startswith("Send the refused again")]
