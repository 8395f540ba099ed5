import re
from pathlib import Path

import pytest

from core.settings import Settings
from core.wiring import Services
from functions.pages import viewer
from functions.pages.viewer import TYPES, viewer_file
from tests.support.fakes import Answer, FakeGateway

FOLDER = Path(viewer.__file__).with_name("static") / "viewer"


def ask_page(services: Services) -> Answer:
    return FakeGateway(services).call(viewer.viewer, path="/", token=None)


def ask_file(services: Services, name: str) -> Answer:
    return FakeGateway(services).call(viewer_file, path="/viewer/{file}", path_parameters={"file": name}, token=None)


def test_every_file_of_the_page_is_served_and_no_other(services: Services) -> None:
    assert {path.name for path in FOLDER.iterdir()} == {*TYPES, "index.html", "sign-in-failed.html"}
    for name, content_type in TYPES.items():
        answer = ask_file(services, name)
        assert (answer.status, answer.headers["Content-Type"]) == (200, content_type)
        assert answer.body == (FOLDER / name).read_bytes()
    for name in ("", "index.html", "../viewer.py", "..%2fviewer.py", "/etc/passwd", "docs.js"):
        assert ask_file(services, name).status == 404


def test_the_page_works_below_a_stage_because_its_addresses_are_relative(services: Services) -> None:
    page = ask_page(services)
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    addresses = set(re.findall(r'(?:src|href)="([^"]+)"', page.body.decode()))
    own = {address for address in addresses if not address.startswith(("data:", "#"))}
    assert own == {"viewer/viewer.css", "viewer/main.js", "openapi.json", "docs"}
    for name in TYPES:
        imports = re.findall(r'^import .* from "(.+)";$', (FOLDER / name).read_text(), re.MULTILINE)
        assert {imported.removeprefix("./") for imported in imports} <= TYPES.keys(), name


def test_the_page_runs_no_script_but_its_own_and_talks_to_no_other_host(services: Services) -> None:
    headers = ask_page(services).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert (policy["require-trusted-types-for"], policy["trusted-types"]) == ("'script'", "'none'")
    assert headers["Referrer-Policy"] == "no-referrer"


def test_modules_of_two_versions_do_not_meet(services: Services) -> None:
    assert ask_page(services).headers["Cache-Control"] == "no-cache"
    assert {ask_file(services, name).headers["Cache-Control"] for name in TYPES} == {"no-cache"}


@pytest.mark.parametrize("auth", ["open", "clients"])
def test_the_page_knows_how_to_sign_in(settings: Settings, auth: str) -> None:
    page = ask_page(Services(settings.model_copy(update={"auth": auth})))
    assert f'<html lang="en" data-auth="{auth}" ' in page.body.decode()


def test_no_script_makes_html_of_text_or_keeps_anything_but_preferences_in_the_browser() -> None:
    unsafe = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(|srcdoc|DOMParser|localStorage"
        r"|sessionStorage|indexedDB|document\.cookie"
    )
    for path in FOLDER.glob("*.js"):
        # The view, while the browser is at the identity provider; never a token.
        allowed = {"preferences.js": {"localStorage"}, "session.js": {"sessionStorage"}}.get(path.name, set())
        assert {*unsafe.findall(path.read_text())} == allowed, path.name
    kept = [re.findall(r'keepPreference\("([a-z-]+)"', path.read_text()) for path in FOLDER.glob("*.js")]
    assert sorted(name for names in kept for name in names) == ["language", "single-keys", "theme", "time-zone"]
