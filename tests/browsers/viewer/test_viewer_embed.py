"""The log viewer inside a page of another origin, by the page and the backend of docs/guides/embed.md."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from threading import Event as Flag
from urllib.parse import urlencode

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.browsers.viewer.portal import (
    BACKEND,
    FOREIGN,
    OWN,
    PAGE,
    SECRET_WORD,
    WHOLE,
    EmbeddedPage,
    Portal,
    all_of,
    backend,
    post_for,
    shown,
)
from tests.security.shop import register
from tests.support.axe import violations
from tests.support.browser import hosts_asked_by, log_of
from tests.support.host_page import HostPage, serving
from tests.support.service import Service
from tests.support.waiting import SECONDS

# A timer of half a minute, after which a token of one minute is replaced, takes one and a half seconds.
QUICK_TIMERS = """
const real = setTimeout;
window.setTimeout = (run, ms, ...rest) => real(run, ms > 25_000 && ms < 40_000 ? ms / 20 : ms, ...rest);
"""
# Another window of the page's own origin, which sends a message in its own name.
SIBLING = """
const sibling = document.createElement("iframe");
sibling.src = "/sibling";
sibling.onload = () => { window.sibling = sibling.contentWindow; };
document.body.append(sibling);
"""
EVIL = """<!DOCTYPE html><script>
window.received = [];
addEventListener("message", (event) => received.push(event.data));
setInterval(() => parent.postMessage({type: "audit-log:token"}, "*"), 50);
</script>"""


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    data_dir = tmp_path_factory.mktemp("portal") / "data"
    data_dir.mkdir()
    viewer = register(data_dir, "--scope", "events:read", auth="clients")
    writer = register(data_dir, auth="clients")
    with serving(HostPage({"/sibling": "<!DOCTYPE html>"}, dict)) as host, serving(HostPage({}, dict)) as elsewhere:
        elsewhere.pages["/evil"] = EVIL
        settings = {"auth": "clients", "embed_origins": f"https://app.example.org {host.url}"}
        with Service.start(data_dir, **settings) as service:
            ids = {customer: post_for(service, writer, customer) for customer in (OWN, FOREIGN)}
            yield Portal(service, host, elsewhere, backend(service, viewer), ids)


@pytest.fixture(autouse=True)
def only_its_own_host(browser: webdriver.Chrome, portal: Portal) -> Iterator[None]:
    """Whatever a test does, requests go only to the service and to the page's own host."""
    browser.switch_to.default_content()
    browser.get("about:blank")
    log_of(browser, "performance")
    log_of(browser, "browser")
    portal.host.asked.clear()
    portal.host.token = partial(portal.token, "alice@example.com", OWN)
    yield
    browser.switch_to.default_content()
    servers = (portal.service.url, portal.host.url, portal.elsewhere.url)
    assert hosts_asked_by(browser) <= {url.removeprefix("http://") for url in servers}


def test_twelve_lines_show_a_customer_the_own_log_in_german_with_a_token_that_renews_itself(
    browser: webdriver.Chrome, portal: Portal, before_the_page: Callable[[str], None]
) -> None:
    assert len(PAGE.splitlines()) == 12
    assert "valid_minutes" in BACKEND
    before_the_page(QUICK_TIMERS)
    portal.host.token = lambda: short_lived(portal)
    page = all_of(shown(browser, portal))
    assert browser.execute_script("return document.documentElement.lang") == "de"
    assert page.button("Exportieren")
    assert "ada hat invoice aktualisiert: own" in page.cells("event")
    assert SECRET_WORD not in page.text()
    page.until(lambda: portal.host.tokens >= 3, "the token is not renewed")
    assert not page.all("#problem")


def short_lived(portal: Portal) -> dict[str, str]:
    """A token of one minute, in place of ten."""
    code = backend_code(portal)
    return code("alice@example.com", OWN)


def backend_code(portal: Portal) -> Callable[..., dict[str, str]]:
    original = portal.token
    scope = dict(original.__globals__)
    exec(BACKEND.replace('"valid_minutes": 10', '"valid_minutes": 1'), scope)  # noqa: S102 - the code of the guide
    function: Callable[..., dict[str, str]] = scope["audit_token"]
    return function


def test_the_frame_has_no_rule_of_accessibility_broken_and_fits_its_content(
    browser: webdriver.Chrome, portal: Portal
) -> None:
    page = all_of(shown(browser, portal, 'accent="#0f766e" background="#f8fafc" theme="light"'))
    assert violations(browser) == []
    inner = browser.execute_script("return document.body.getBoundingClientRect().height")
    page.until(lambda: abs(browser.execute_script("return innerHeight") - inner) <= 2, "the height is not that")
    assert browser.execute_script("return getComputedStyle(document.documentElement).backgroundColor") == (
        "rgb(248, 250, 252)"
    )


def test_a_refused_token_is_replaced_once_and_never_in_a_circle(browser: webdriver.Chrome, portal: Portal) -> None:
    answers = [{"access_token": "not.of.us"}]
    good = portal.host.token
    portal.host.token = lambda: answers.pop() if answers else good()
    all_of(shown(browser, portal))
    assert portal.host.tokens == 2

    portal.host.asked.clear()
    portal.host.token = lambda: {"access_token": "not.of.us"}
    page = shown(browser, portal)
    problem = page.find("#problem")
    page.until(lambda: "lehnt den Zugriff ab" in problem.text, "the refusal is not shown")
    assert portal.host.tokens <= 3
    assert page.rows() == []


@pytest.mark.parametrize(
    "answer",
    [
        "<!DOCTYPE html><title>Sign in</title>",
        "",
        "{}",
        '{"access_token": null}',
        '{"access_token": {"a": 1}}',
        '{"access_token": "a b"}',
        '{"access_token": "a\\nX-Evil: 1"}',
        '{"access_token": "<img src=x onerror=alert(1)>"}',
        json.dumps({"access_token": "x" * 1_000_000}),
        '{"token": "x.y.z"}',
        "[" * 100_000,
    ],
    ids=lambda text: text[:30],
)
def test_an_answer_of_the_backend_that_is_no_token_is_a_problem_in_words(
    browser: webdriver.Chrome, portal: Portal, answer: str
) -> None:
    portal.host.token = lambda: answer
    page = shown(browser, portal)
    problem = page.find("#problem")
    page.until(lambda: "gewährt keinen Zugriff" in problem.text, "the problem is not shown")
    assert page.rows() == []
    portal.host.token = partial(portal.token, "alice@example.com", OWN)
    page.button("Erneut versuchen").click()
    all_of(page)


def test_a_page_of_another_origin_is_refused_by_the_browser(browser: webdriver.Chrome, portal: Portal) -> None:
    source = PAGE.replace("https://audit.example.org", portal.service.url)
    portal.elsewhere.pages["/"] = source
    portal.elsewhere.token = portal.host.token
    page = EmbeddedPage(browser, f"{portal.elsewhere.url}/").enter()
    page.until(lambda: refusals(browser), "the browser does not refuse it")
    assert not page.browser.find_elements(By.CSS_SELECTOR, "#events")
    assert portal.elsewhere.tokens == 0


@pytest.mark.parametrize("path", ["/", "/embed", "/embed?origin=https://app.example.org", "/embed?origin=*", "/docs"])
def test_no_other_address_of_the_service_is_framed(browser: webdriver.Chrome, portal: Portal, path: str) -> None:
    portal.host.pages["/framing"] = f'<!DOCTYPE html><iframe src="{portal.service.url}{path}"></iframe>'
    page = EmbeddedPage(browser, f"{portal.host.url}/framing")
    page.until(lambda: refusals(browser), "the browser does not refuse it")
    browser.switch_to.frame(0)
    assert not browser.find_elements(By.CSS_SELECTOR, "#events, #swagger-ui")


def refusals(browser: webdriver.Chrome) -> list[str]:
    return [line for line in log_of(browser, "browser") if "frame-ancestors" in line or "frame_ancestors" in line]


def test_alone_the_page_of_the_frame_shows_nothing_and_asks_for_no_secret(
    browser: webdriver.Chrome, portal: Portal
) -> None:
    page = EmbeddedPage(browser, f"{portal.service.url}/embed?{urlencode({'origin': portal.host.url, 'lang': 'de'})}")
    problem = page.find("#problem")
    page.until(lambda: "innerhalb einer anderen Seite" in problem.text, "the reason is not shown")
    assert not page.all("dialog")
    assert page.rows() == []


def test_a_message_of_another_window_is_no_token(browser: webdriver.Chrome, portal: Portal) -> None:
    """Neither of a window of the same origin next to the frame, nor of the frame itself."""
    foreign = portal.token("mallory@example.com", FOREIGN)["access_token"]
    waits = Flag()
    good = portal.host.token
    portal.host.token = lambda: (waits.wait(SECONDS), good())[1]
    page = shown(browser, portal)
    page.until(lambda: portal.host.tokens, "the frame asks for no token")
    browser.switch_to.default_content()
    browser.execute_script(SIBLING)
    page.until(lambda: browser.execute_script("return Boolean(window.sibling)"), "the sibling is not loaded")
    browser.execute_script(
        """
        const frame = document.querySelector("audit-log-viewer").shadowRoot.querySelector("iframe").contentWindow;
        const script = sibling.document.createElement("script");
        script.textContent = "window.send = (frame, message) => frame.postMessage(message, '*')";
        sibling.document.documentElement.append(script);
        sibling.send(frame, { type: "audit-log:token", token: arguments[0] });
        """,
        foreign,
    )
    page.enter()
    browser.execute_script("postMessage({ type: 'audit-log:token', token: arguments[0] }, '*')", foreign)
    page.until(lambda: browser.execute_script("return document.body.classList.contains('loading')"), "it does not wait")
    assert page.rows() == []
    waits.set()
    all_of(page)
    assert SECRET_WORD not in page.text()


def test_the_element_gives_a_token_to_its_own_frame_only(browser: webdriver.Chrome, portal: Portal) -> None:
    with_foreign = PAGE.replace("<h1>", f'<iframe id="evil" src="{portal.elsewhere.url}/evil"></iframe><h1>')
    page = all_of(shown(browser, portal, page=with_foreign))
    browser.switch_to.default_content()
    browser.switch_to.frame("evil")
    page.until(lambda: browser.execute_script("return document.readyState") == "complete", "it is not loaded")
    browser.execute_async_script("const done = arguments[0]; setTimeout(done, 500)")
    assert browser.execute_script("return received") == []
    assert portal.host.tokens == 1


@pytest.mark.parametrize(
    "fragment",
    [
        f"customer_id={FOREIGN}",
        f"customer_id={OWN}&customer_id={FOREIGN}",
        f"customer_id[not]={OWN}",
        "customer_id[gt]=0",
        f"q={SECRET_WORD}",
        f"event_data.targets[0].id={SECRET_WORD}",
        "event_data.targets[*].id[prefix]=hid",
        "columns=time,customer,customer_id",
    ],
)
def test_no_address_leads_to_another_customer(browser: webdriver.Chrome, portal: Portal, fragment: str) -> None:
    page = all_of(shown(browser, portal))
    page.view_of(f"{WHOLE}&{fragment}").loaded()
    page.until(lambda: not page.all("body.loading"), "it is still loading")
    assert page.cells("customer") == []
    assert SECRET_WORD not in "".join(page.cells("event"))
    assert not [chip for chip in page.chips() if "unde" in chip]


def test_no_link_and_no_word_of_the_filter_line_leads_to_another_customer(
    browser: webdriver.Chrome, portal: Portal
) -> None:
    page = all_of(shown(browser, portal))
    page.view_of(f"{WHOLE}&event={portal.ids[FOREIGN]}")
    page.until(lambda: "Kein Ereignis" in page.find("#detail").text, "the detail is not shown")
    assert SECRET_WORD not in page.text()
    page.view_of(f"{WHOLE}&event={portal.ids[OWN]}")
    page.until(lambda: "Kunde" not in page.find("#detail").text and page.all(".facts"), "the detail is not shown")
    page.view_of(WHOLE).loaded()
    page.type_filter(f"customer={FOREIGN}\n")
    page.until(lambda: page.all("#empty"), "the filter does not apply")
    assert page.view()["event_data.customer"] == str(FOREIGN)
    assert SECRET_WORD not in "".join(page.cells("event"))


def test_nothing_in_the_frame_signs_in_or_chooses_a_customer(browser: webdriver.Chrome, portal: Portal) -> None:
    page = all_of(shown(browser, portal))
    assert not page.all("#sign-out, #who, #share, a[href], dialog, .c-customer")
    page.button("Spalten").click()
    assert "Kunde" not in page.find("#columns-menu").text
    assert "Kunde" not in page.find("#facets").text
    kept, cookies = browser.execute_script("return [Object.keys(localStorage), document.cookie]")
    assert {key.split(" ")[0] for key in kept} <= {"audit-log.ledger"}  # its public key and size
    assert cookies == ""


HOSTILE = ['"><img src=x onerror=hacked=1>', "<script>hacked=1</script>", "__proto__", "red;}*{display:none}"]
HOSTILE += ["url(//evil.example)", "javascript:hacked=1", "\u202e", "%22%3E", "time," + "x," * 500, "#fff", "#0f0f0f0"]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_attributes_are_no_code_and_no_style(browser: webdriver.Chrome, portal: Portal, hostile: str) -> None:
    page = all_of(shown(browser, portal))
    browser.switch_to.default_content()
    set_all = """
    const element = document.querySelector("audit-log-viewer");
    for (const name of ["columns", "theme", "accent", "background", "lang"]) element.setAttribute(name, arguments[0]);
    """
    old = browser.execute_script("return document.querySelector('audit-log-viewer').shadowRoot.firstChild.src")
    browser.execute_script(set_all, hostile)
    current = "return document.querySelector('audit-log-viewer').shadowRoot.firstChild.src"
    page.until(lambda: browser.execute_script(current) != old, "the log is not loaded again")
    all_of(page.enter())
    properties = "return [...document.documentElement.style].sort()"
    assert browser.execute_script(properties) == ["--customer-word", "color-scheme"]
    assert browser.execute_script("return typeof hacked") == "undefined"
    assert browser.execute_script("return document.querySelectorAll('img, script:not([src])').length") == 0
    browser.switch_to.default_content()
    assert browser.execute_script("return typeof hacked") == "undefined"


def test_hostile_messages_of_the_frame_change_no_style_of_the_page(browser: webdriver.Chrome, portal: Portal) -> None:
    page = all_of(shown(browser, portal))
    send = "parent.postMessage(arguments[0], '*')"
    heights = ["1px; position: fixed", {"a": 1}, None, -5]
    messages: list[object] = [None, 1, "x", [], {}, {"type": "audit-log:height"}, {"type": "__proto__"}]
    for message in messages:
        browser.execute_script(send, message)
    for height in heights:
        browser.execute_script(send, {"type": "audit-log:height", "height": height})
    style = "return document.querySelector('audit-log-viewer').shadowRoot.firstChild.style"

    def is_highest() -> bool:
        page.enter()
        browser.execute_script(send, {"type": "audit-log:height", "height": 1e12})
        browser.switch_to.default_content()
        return bool(browser.execute_script(f"{style}.height") == "100000px")

    page.until(is_highest, "the last height is not taken")  # again, since the frame reports its own height as well
    assert browser.execute_script(f"{style}.position") == ""
    size = browser.execute_script("return [innerHeight, document.querySelector('audit-log-viewer').offsetHeight]")
    assert size[1] <= size[0]
