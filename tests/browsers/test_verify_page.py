"""docs/verify.html, opened from the disk: it proves and refuses as the command does, and asks no host for anything."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.support.browser import chromium, hosts_asked_by
from tests.support.documents import ROOT
from tests.support.waiting import SECONDS
from tests.unit.ledger.sample_log import SampleLog, cosigned, private_key

LOG = SampleLog()
INDEX = 5
PAGE = ROOT / "docs" / "verify.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("browser") / "profile") as driver:
        yield driver


def verify(browser: webdriver.Chrome, folder: Path, proof: bytes, data: bytes | None, key: str = LOG.vkey) -> str:
    """What the page says about these files."""
    browser.get(PAGE.as_uri())
    browser.find_element(By.ID, "key").send_keys(key)
    for name, content in {"proof": proof, "data": data}.items():
        if content is not None:
            (folder / name).write_bytes(content)
            browser.find_element(By.ID, name).send_keys(str(folder / name))
    browser.find_element(By.TAG_NAME, "button").click()
    result = browser.find_element(By.ID, "result")
    WebDriverWait(browser, SECONDS).until(lambda _: result.text)
    assert hosts_asked_by(browser) <= {""}  # a file has none
    return result.text


def test_the_page_verifies_with_the_code_of_the_log_viewer() -> None:
    code = (ROOT / "functions" / "pages" / "static" / "viewer" / "verifier.js").read_text(encoding="utf-8")
    assert code in PAGE.read_text(encoding="utf-8"), "copy viewer/verifier.js between the marks of docs/verify.html"


@pytest.mark.parametrize("index", [0, INDEX, len(LOG.events) - 1])
def test_an_event_is_proven_from_the_disk(browser: webdriver.Chrome, tmp_path: Path, index: int) -> None:
    said = verify(browser, tmp_path, LOG.proof(index), LOG.data(index))
    assert said.startswith(f"PROVEN: entry {index} of 11 in {LOG.keys.origin}\n")
    assert f'"event_id":"{LOG.events[index].event_id}"' in said
    assert f'{{"number":{index},"é":' in said


def test_an_event_is_proven_without_its_content(browser: webdriver.Chrome, tmp_path: Path) -> None:
    said = verify(browser, tmp_path, LOG.proof(INDEX), None)
    assert said.startswith("PROVEN")
    assert "The content is not in the files" in said


def test_cosignatures_of_unknown_witnesses_are_passed_over(browser: webdriver.Chrome, tmp_path: Path) -> None:
    note = cosigned(LOG.checkpoint(), "w.example.org", private_key(9)).to_bytes()
    assert verify(browser, tmp_path, LOG.proof(INDEX).partition(b"\n\n")[0] + b"\n\n" + note, None).startswith("PROVEN")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (r"@v1", "@v2", "not a proof"),
        (r"^index 5$", "index 6", "not in the tree"),
        (r"^index 5$", "index 05", "index is malformed"),
        (r"^index 5$", "index 11", "beyond the size"),
        (r"^[A-Za-z0-9+/]{43}=\n", "", "too few or too many hashes"),
        (r"^([A-Za-z0-9+/]{42})[A-Za-z0-9+/]=$", r"\1B=", "not canonical base64"),
        (r"^11$", "12", "signature of the ledger over the checkpoint is wrong"),
        (r"\u2014 audit", "\u2014 Audit", "not signed by this key"),
        (r"\n\n", "\n\n\n", "checkpoint"),
        (r"\n", "\r\n", "not a proof"),
    ],
)
def test_what_was_changed_is_refused(
    browser: webdriver.Chrome, tmp_path: Path, old: str, new: str, reason: str
) -> None:
    proof = LOG.proof(INDEX).decode()
    changed = re.sub(old, new, proof, count=1, flags=re.MULTILINE)
    assert changed != proof
    said = verify(browser, tmp_path, changed.encode(), None)
    assert said.startswith("NOT PROVEN")
    assert reason in said


def test_files_and_keys_of_others_are_refused(browser: webdriver.Chrome, tmp_path: Path) -> None:
    proof, other = LOG.proof(INDEX), SampleLog(seed=2)
    assert "data file is not that of the event" in verify(browser, tmp_path, proof, LOG.data(INDEX + 1))
    assert "not signed by this key" in verify(browser, tmp_path, proof, None, other.vkey)
    assert "does not match its id" in verify(browser, tmp_path, proof, None, LOG.vkey[:-1] + "5")
    assert "NAME+ID+BASE64" in verify(browser, tmp_path, proof, None, "nonsense")
