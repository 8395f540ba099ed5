"""The proof of an open event is verified in the browser, and what does not fit is refused there."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from selenium import webdriver

from audit_log_client.ledger.policy import policy_of_key
from audit_log_client.ledger.proofs import verify_event
from tests.browsers.viewer.page import ViewerPage, numbered, post, until_proven
from tests.support.browser import log_of
from tests.support.builders import new_event
from tests.support.service import Service, get
from tests.unit.ledger.sample_log import SampleLog

CUSTOMER = 9200
NAME = "audit-log.ledger /"
PROVEN = re.compile(r"✓ Proven: entry [\d,]+ of [\d,]+, signed by \S+")
ANSWERS = """
const sent = window.fetch;
window.fetch = async (url, options) => {
  const { pathname } = new URL(url);
  const answer = await sent(url, options);
  const change = (path, text) => { CHANGE };
  const changed = change(pathname, await answer.clone().text());
  if (!changed) return answer;
  return new Response(changed.text, { status: changed.status ?? 200, headers: changed.headers });
};
"""
"""Changes what the page gets as answers: the body of a function of path and text."""


@pytest.fixture
def event_id(service: Service) -> str:
    data = {"n": [5.0, 2**53 + 1, 1e300, -0.0, 1e20, True, None], "__proto__": {"a": "<b>"}, "é": "\u2028\U0001f600"}
    logged = new_event(customer_id=CUSTOMER, event_type="viewer.proof", event_data=data)
    found, _ = post(service, logged, new_event())  # the proof of a log of one event has no hashes
    until_proven(service, found)
    return found


@pytest.fixture
def changing(before_the_page: Callable[[str], None]) -> Callable[[str], None]:
    return lambda change: before_the_page(ANSWERS.replace("CHANGE", change))


def opened(browser: webdriver.Chrome, service: Service, event_id: str) -> ViewerPage:
    return ViewerPage(browser, service.url, f"customer_id={CUSTOMER}&last=24h&event={event_id}").loaded()


def says(page: ViewerPage, text: str) -> None:
    page.until(lambda: text in page.find(".proof").text, f"the proof does not say {text!r}")


def remembered(browser: webdriver.Chrome) -> dict[str, str]:
    found: dict[str, str] = json.loads(browser.execute_script(f"return localStorage.getItem('{NAME}')"))
    return found


def remember(browser: webdriver.Chrome, service: Service, **values: str) -> None:
    """Let the browser remember another ledger."""
    browser.get(f"{service.url}/openapi.json")
    browser.execute_script(f"localStorage.setItem('{NAME}', arguments[0])", json.dumps(values))


def test_an_event_is_proven_and_its_files_are_those_of_the_service(
    browser: webdriver.Chrome, service: Service, event_id: str, tmp_path: Path
) -> None:
    log_of(browser, "browser")
    page = opened(browser, service, event_id)
    says(page, "Proven")
    assert PROVEN.match(page.find(".proof").text)
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    page.button("Save proof").click()
    page.button("Save data of proof").click()
    proof, data = tmp_path / f"{event_id}.tlog-proof", tmp_path / f"{event_id}.data"
    page.until(lambda: proof.exists() and data.exists(), "nothing is saved")
    memory = remembered(browser)
    with service.client() as client:
        own = client.get(f"/event/{event_id}/proof", params={"tree_size": memory["size"]}).content
        assert proof.read_bytes() == own
        assert data.read_bytes() == client.get(f"/event/{event_id}/proof/data").content
    proven = verify_event(proof.read_bytes(), policy_of_key(memory["vkey"]), data=data.read_bytes(), event_id=event_id)
    assert proven.checkpoint.size == int(memory["size"])
    page.find(".proof summary").click()
    assert f"audit-log verify {event_id}.tlog-proof --key '{memory['vkey']}'" in page.find(".proof").text
    assert log_of(browser, "browser") == []


def test_a_later_checkpoint_has_to_continue_the_remembered_one(
    browser: webdriver.Chrome, service: Service, event_id: str
) -> None:
    says(opened(browser, service, event_id), "Proven")
    first = int(remembered(browser)["size"])
    for count in (1, 2, 7):
        *_, later = post(service, *numbered(count, CUSTOMER))
        until_proven(service, later)
        says(opened(browser, service, later), "Proven")
        says(opened(browser, service, event_id), "Proven")
    assert int(remembered(browser)["size"]) >= first + 10


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("if (path.endsWith('/proof')) return { text: text.replace(/^index .*/m, 'index 999999') }", "beyond the size"),
        ("if (path.endsWith('/proof')) return { text: text.replace(/^[A-Za-z0-9+/]{43}=\\n/m, '') }", "hashes"),
        ("if (path.endsWith('/proof')) return { text: 'c2sp.org/tlog-proof@v1\\n<img src=x>\\n\\n' }", "malformed"),
        ("if (path.endsWith('/proof/data')) return { text: text + ' ' }", "data file is not that of the event"),
        (
            "if (path === '/event') return { text: text.replaceAll('<b>', '<i>') }",
            "event_data differs from the logged event",
        ),
        (
            "if (path === '/event') return { text: text.replaceAll('9007199254740993', '9007199254740992') }",
            "event_data differs from the logged event",
        ),
        (
            "if (path === '/event') return { text: text.replaceAll('\"viewer.proof\"', '\"viewer.fake\"') }",
            "event_type differs from the logged event",
        ),
    ],
)
def test_an_event_or_a_proof_that_was_changed_is_refused(  # noqa: PLR0917 - fixtures
    browser: webdriver.Chrome,
    service: Service,
    event_id: str,
    changing: Callable[[str], None],
    change: str,
    reason: str,
) -> None:
    changing(change)
    page = opened(browser, service, event_id)
    says(page, "✕ Not proven")
    assert reason in page.find(".proof").text
    assert page.all(".proof button") == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"vkey": SampleLog(seed=2).vkey}, "not signed by this key"),
        ({"size": "1000000"}, "this browser has seen 1,000,000"),
        ({"root": "A" * 43 + "="}, "different roots"),
        ({"size": "1", "root": "A" * 43 + "="}, "does not lead to the new checkpoint"),
    ],
)
def test_another_ledger_than_the_remembered_one_is_refused_until_the_user_forgets_that(
    browser: webdriver.Chrome, service: Service, event_id: str, changes: dict[str, str], reason: str
) -> None:
    until_proven(service, *post(service, new_event(customer_id=CUSTOMER)))
    says(opened(browser, service, event_id), "Proven")
    wrong = {**remembered(browser), **changes}
    remember(browser, service, **wrong)
    page = opened(browser, service, event_id)
    says(page, "✕ Not proven")
    assert reason in page.find(".proof").text
    assert remembered(browser) == wrong
    page.button("Forget the remembered key and checkpoint").click()
    says(page, "Proven: entry")
    assert "Proven" in page.focused().text
    assert remembered(browser) != wrong


def test_an_event_that_waits_for_its_checkpoint_is_proven_without_another_click(
    browser: webdriver.Chrome, service: Service, event_id: str, changing: Callable[[str], None]
) -> None:
    changing(
        "if (path.endsWith('/proof') && !window.waits) { window.waits = true; "
        "return { text: '{}', status: 404, headers: { 'Retry-After': '1' } } }"
    )
    page = opened(browser, service, event_id)
    says(page, "… Stored, provable in a few seconds")
    says(page, "✓ Proven")


def test_an_erased_event_is_proven_but_for_its_content(
    browser: webdriver.Chrome, service: Service, event_id: str, changing: Callable[[str], None]
) -> None:
    changing("if (path.endsWith('/proof/data')) return { text: '{}', status: 410 }")
    page = opened(browser, service, event_id)
    says(page, "✓ Erased: event_data is gone, the rest is proven, entry")
    assert [button.text for button in page.all(".proof > .proof-more > .detail-actions button")] == ["Save proof"]


def test_a_reason_of_the_service_is_text(
    browser: webdriver.Chrome, service: Service, event_id: str, changing: Callable[[str], None]
) -> None:
    reason = "JSON.stringify({ detail: '<img src=x> Not here.\\u202e' })"
    changing(f"if (path.endsWith('/proof')) return {{ status: 404, text: {reason} }}")
    says(opened(browser, service, event_id), "? No proof: <img src=x> Not here.\\u202e")


def test_a_browser_without_ed25519_claims_nothing(
    browser: webdriver.Chrome, service: Service, event_id: str, before_the_page: Callable[[str], None]
) -> None:
    before_the_page("crypto.subtle.importKey = async () => { throw new DOMException('no', 'NotSupportedError') }")
    says(opened(browser, service, event_id), "? This browser cannot check here")


def test_a_service_without_a_ledger_has_no_proofs(browser: webdriver.Chrome, tmp_path: Path) -> None:
    with Service.start(tmp_path / "data", ledger="off") as service:
        [found] = post(service, new_event(customer_id=CUSTOMER))
        page = opened(browser, service, found)
        says(page, "? No proof: ")
        assert get(f"{service.url}/ledger/policy").status_code == 404


def test_a_report_has_the_state_of_the_proof_of_each_event(
    browser: webdriver.Chrome, service: Service, changing: Callable[[str], None]
) -> None:
    ids = post(service, *(new_event(customer_id=9201, event_data={"secret": word}) for word in ("one", "two", "three")))
    until_proven(service, ids[-1])
    changing("if (path === '/event') return { text: text.replace('\"two\"', '\"2\"') }")
    page = ViewerPage(browser, service.url, "customer_id=9201&last=24h").loaded()
    page.shows(3)
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert page.cells("proof") == ["not checked"] * 3
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert page.cells("proof") == []
    browser.execute_script("window.print = () => dispatchEvent(new Event('beforeprint'))")
    page.button("Export").click()
    page.button("Print or PDF").click()
    page.until(lambda: page.cells("proof"), "nothing is printed")
    states = dict(zip(page.cells("event"), page.cells("proof"), strict=True))
    assert sorted(states.values()) == ["NOT PROVEN", "proven", "proven"]
    assert next(state for cell, state in states.items() if '"2"' in cell) == "NOT PROVEN"
    report = str(browser.execute_script("return document.getElementById('report').textContent"))
    assert "2 proven" in report
    assert "1 NOT PROVEN" in report
