"""How somebody signs in to the log viewer, and what it shows and keeps before and after."""

import re
from pathlib import Path

from selenium import webdriver

from tests.browsers.viewer.page import ViewerPage, numbered, post
from tests.support import forked
from tests.support.service import AUDIT_LOG, Service, environment

KEPT = "return [localStorage.length, sessionStorage.length, document.cookie, JSON.stringify(history.state)]"


def guarded_service(tmp_path: Path, *options: str, **settings: str) -> tuple[str, str, Service]:
    """A service with one client: its id and secret. Its directory may have events already."""
    data = tmp_path / "data"
    data.mkdir(exist_ok=True)
    running = Service.start(data, auth="clients", **settings)
    create = [AUDIT_LOG, "client", "create", "--name", "viewer", *options]
    made = forked.run(create, env=environment(data, auth="clients"), check=True)
    client_id, secret = re.findall(r"client_(?:id|secret): +(\S+)", made.stdout)
    return client_id, secret, running


def test_nothing_is_shown_or_kept_without_signing_in(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(1, 9001))
    page = ViewerPage(browser, service.url, "customer_id=9001").signed_out()
    assert page.find("#sign-in").accessible_name == "Sign in"
    assert page.rows() == []
    page.button("Get a token").click()
    page.shows(1)
    assert browser.execute_script(KEPT) == [0, 0, "", "null"]
    assert page.view() == {"customer_id": "9001"}


def test_a_service_that_gives_tokens_to_anyone_is_open_at_once(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(1, 9011))
    page = ViewerPage(browser, service.url, "customer_id=9011")
    page.shows(1)
    assert not page.all("#sign-in")


def test_a_token_that_is_not_accepted_is_asked_for_again_and_the_view_stays(
    browser: webdriver.Chrome, service: Service
) -> None:
    post(service, *numbered(1, 9009))
    page = ViewerPage(browser, service.url, "customer_id=9009").signed_out()
    page.find("#sign-in summary").click()
    page.find("#paste textarea").send_keys("header.of.nothing")
    page.button("Use this token").click()
    refusal = page.find("#sign-in-problem")
    page.until(lambda: "The view stays as it is." in refusal.text, "it is not asked for again")
    assert (refusal.aria_role, refusal.text.partition(":")[0]) == ("alert", "The service rejected the token")
    page.find("#paste textarea").send_keys(service.token())
    page.button("Use this token").click()
    page.loaded().shows(1)
    assert page.chips() == ["customer 9009"]


def test_a_client_signs_in_with_its_secret(browser: webdriver.Chrome, tmp_path: Path) -> None:
    client_id, secret, guarded = guarded_service(tmp_path, "--scope", "events:read", "--customer", "42")
    with guarded:
        page = ViewerPage(browser, guarded.url, "last=all")
        page.find("#credentials")
        assert not page.all("#get-token")
        fields = page.all("#credentials input")  # as password managers look for them
        assert [field.get_attribute("autocomplete") for field in fields] == ["username", "current-password"]
        page.find("[name=client_id]").send_keys(client_id)
        page.find("[name=client_secret]").send_keys("wrong")
        page.button("Sign in").click()
        page.until(lambda: page.find("#sign-in-problem").text, "nothing says that the secret is wrong")
        page.find("[name=client_secret]").clear()
        page.find("[name=client_secret]").send_keys(secret)
        page.button("Sign in").click()
        page.loaded()
        page.reads("#who", f"{client_id} (customers 42)")
        assert browser.execute_script("return document.querySelector('[name=client_secret]').value") == ""
        assert "The log has no events yet that this client may read." in page.find("#empty").text


def test_a_client_that_may_only_write_sees_why_there_is_nothing_and_can_leave(
    browser: webdriver.Chrome, tmp_path: Path
) -> None:
    client_id, secret, guarded = guarded_service(tmp_path, "--scope", "events:write")
    with guarded:
        page = ViewerPage(browser, guarded.url)
        page.find("[name=client_id]").send_keys(client_id)
        page.find("[name=client_secret]").send_keys(secret)
        page.button("Sign in").click()
        assert "lacks the scope events:read" in page.find("#problem").text
        page.reads("#who", client_id)
        page.button("Sign out").click()
        page.find("#credentials")
        assert not page.all("#problem")


def test_light_or_dark_is_kept_and_nothing_else(browser: webdriver.Chrome, service: Service) -> None:
    page = ViewerPage(browser, service.url).loaded()
    page.button("Dark").click()
    page = ViewerPage(browser, service.url).loaded()
    assert page.button("Light")
    assert browser.execute_script("return getComputedStyle(document.documentElement).colorScheme") == "dark"
    assert browser.execute_script("return {...localStorage}") == {"audit-log.theme": "dark"}
    page.button("Light").click()
    assert browser.execute_script(KEPT) == [0, 0, "", "null"]
