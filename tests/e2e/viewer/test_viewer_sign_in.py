"""How somebody signs in to the log viewer, and what it shows and keeps before and after."""

import re
import subprocess
from pathlib import Path

from selenium import webdriver

from tests.e2e.viewer.page import ViewerPage, numbered, post
from tests.support.service import AUDIT_LOG, Service, environment

KEPT = "return [localStorage.length, sessionStorage.length, document.cookie, JSON.stringify(history.state)]"


def test_nothing_is_shown_or_kept_without_signing_in(browser: webdriver.Chrome, service: Service) -> None:
    post(service, *numbered(1, 9001))
    page = ViewerPage(browser, service.url, "customer_id=9001")
    assert page.find("#sign-in").accessible_name == "Sign in"
    assert page.rows() == []
    page.get_token().shows(1)
    assert browser.execute_script(KEPT) == [0, 0, "", "null"]
    assert page.view() == {"customer_id": "9001"}
    page.button("Sign out").click()
    page.find("#sign-in")
    assert page.rows() == []


def test_a_token_that_is_not_accepted_is_asked_for_again_and_the_view_stays(
    browser: webdriver.Chrome, service: Service
) -> None:
    post(service, *numbered(1, 9009))
    page = ViewerPage(browser, service.url, "customer_id=9009")
    page.find("#sign-in summary").click()
    page.find("#paste textarea").send_keys("header.of.nothing")
    page.button("Use this token").click()
    page.until(lambda: "The view stays as it is." in page.find("#sign-in").text, "it is not asked for again")
    page.find("#paste textarea").send_keys(service.token())
    page.button("Use this token").click()
    page.loaded().shows(1)
    assert page.chips() == ["customer 9009"]


def test_a_client_signs_in_with_its_secret(browser: webdriver.Chrome, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    create = [AUDIT_LOG, "client", "create", "--name", "viewer", "--scope", "events:read", "--customer", "42"]
    made = subprocess.run(create, env=environment(data, auth="clients"), capture_output=True, text=True, check=True)
    client_id, secret = re.findall(r"client_(?:id|secret): +(\S+)", made.stdout)
    with Service.start(data, auth="clients") as guarded:
        page = ViewerPage(browser, guarded.url, "last=all")
        assert not page.all("#get-token")
        page.find("[name=client_id]").send_keys(client_id)
        page.find("[name=client_secret]").send_keys("wrong")
        page.button("Sign in").click()
        page.until(lambda: page.find("#sign-in-problem").text, "nothing says that the secret is wrong")
        page.find("[name=client_secret]").clear()
        page.find("[name=client_secret]").send_keys(secret)
        page.button("Sign in").click()
        page.loaded()
        assert page.find("#who").text == f"{client_id} (customers 42)"
        assert browser.execute_script("return document.querySelector('[name=client_secret]').value") == ""
        assert "There are no events yet that you may see." in page.find("#empty").text
