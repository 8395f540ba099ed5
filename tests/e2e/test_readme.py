"""The documentation, held against the code: its commands run as printed, its tables and links are true."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from core.settings import Settings
from local_runner.cli.main import app
from tests.support.service import Service

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

PRINTED_URL = "http://127.0.0.1:8000"
FENCE = re.compile(r"^```(?P<kind>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
CURL = re.compile(r"(TOKEN=\$\()?curl ")
VISIBLE_WITHIN_SECONDS = 2


def code_of(page: str) -> list[str]:
    """All that is set as code: fenced blocks, and what stands between backticks."""
    return [*(block["code"] for block in FENCE.finditer(page)), *INLINE.findall(FENCE.sub("", page))]


CURLS = [code.strip() for code in code_of(README) if CURL.match(code)]
TOKEN_LINE = next(code for code in CURLS if code.startswith("TOKEN="))


@pytest.fixture(scope="module")
def own_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A new one, as the reader of the quick start has it."""
    with Service.start(tmp_path_factory.mktemp("readme") / "data") as running:
        yield running


class Shell:
    """Runs what the README prints, at the service's own address; a .curlrc makes curl tell the status on the side."""

    def __init__(self, service: Service, home: Path) -> None:
        self._service = service
        self._home = home
        (home / ".curlrc").write_text('write-out = "%{stderr}%{http_code}\\n"\n')

    def run(self, block: str) -> tuple[int, str]:
        """The status of the last answer and what the reader sees."""
        script = f"{TOKEN_LINE}\n{block}".replace(PRINTED_URL, self._service.url)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self._home), "LC_ALL": "C.UTF-8"},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, f"{script}\n{done.stderr}"
        return int(done.stderr.split()[-1]), done.stdout


@pytest.fixture(scope="module")
def shown(own_service: Service, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each curl of the README shows, run one after the other like a reader does."""
    shell = Shell(own_service, tmp_path_factory.mktemp("home"))
    shown: dict[str, str] = {}
    for block in CURLS:
        deadline = time.monotonic() + VISIBLE_WITHIN_SECONDS
        status, output = shell.run(block)
        while '"events":[]' in output and time.monotonic() < deadline:
            status, output = shell.run(block)
        assert 200 <= status < 300, f"{block}\n{output}"
        shown[block] = output
    return shown


def block_with(*parts: str) -> str:
    return next(block for block in CURLS if all(part in block for part in parts))


def test_the_three_curls_of_the_quick_start_are_there() -> None:
    assert "access-token?valid_minutes=1800" in TOKEN_LINE
    assert CURLS.index(block_with("POST", "/event ")) < CURLS.index(block_with("/event?"))


def test_the_answer_shown_for_a_post_is_the_one_that_comes(shown: dict[str, str]) -> None:
    printed = next(block["code"] for block in FENCE.finditer(README) if block["kind"] == "http")
    printed_head, _, printed_body = printed.partition("\n\n")
    head, _, body = shown[block_with("POST", "/event ", "-i")].partition("\n\n")
    assert printed_head.splitlines()[0] == head.splitlines()[0]
    assert json.loads(printed_body).keys() == json.loads(body).keys()
    assert f"Location: /event/{json.loads(body)['event_id']}" in head


def test_every_query_finds_what_was_posted_before(shown: dict[str, str]) -> None:
    posted = json.loads(shown[block_with("POST", "/event ", "-i")].partition("\n\n")[2])
    pages = [json.loads(output) for output in shown.values() if output.startswith('{"events"')]
    assert len(pages) >= 2
    for page in pages:
        assert [event["event_id"] for event in page["events"]] == [posted["event_id"]]


def test_the_batch_is_accepted_in_part(shown: dict[str, str]) -> None:
    answer = json.loads(shown[block_with("/events ")])
    assert len(answer["accepted"]) == 1
    assert answer["rejected"][0]["errors"][0]["loc"] == ["customer_id"]


def test_the_table_of_settings_is_complete_and_right() -> None:
    printed = dict(re.findall(r"^\| `AUDIT_LOG_(\w+)` \| (.+?) \|", README, re.MULTILINE))
    assert list(printed) == [name.upper() for name in Settings.model_fields]
    for name, field in Settings.model_fields.items():
        if field.default in {None, ()}:  # then the default is told in words
            assert not printed[name.upper()].startswith("`"), name
        else:
            assert printed[name.upper()] == f"`{field.default}`", name


def test_every_setting_that_is_named_exists() -> None:
    named = set(re.findall(r"AUDIT_LOG_([A-Z]+(?:_[A-Z]+)*)", README))
    assert named <= {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("page", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_every_make_target_that_is_named_exists(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        target
        for code in code_of(page)
        for targets in re.findall(r"^make((?: [a-z-]+)+)", code, re.MULTILINE)
        for target in targets.split()
    }
    assert named
    assert named <= targets


def test_the_table_of_commands_is_complete_and_right() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    rows = dict(re.findall(r"^\| `audit-log ([a-z-]+)` \| (.+) \|$", README, re.MULTILINE))
    assert rows.keys() == group.commands.keys()
    for name, row in rows.items():
        options = {option for parameter in group.commands[name].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", row)) <= options, name


def test_every_command_that_is_named_exists() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    named = {name for code in code_of(README + CONTRIBUTING) for name in re.findall(r"\baudit-log ([a-z-]+)", code)}
    assert named <= group.commands.keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s#]+)[^)]*\)", FENCE.sub("", page.read_text(encoding="utf-8")))
    local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    missing = [target for target in local if not (page.parent / target).exists()]
    assert not missing
