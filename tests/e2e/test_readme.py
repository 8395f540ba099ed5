"""The commands of the documentation, run as printed: blocks marked as bash, from top to bottom, on a new service."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl

import httpx
import pytest

from tests.support.documents import blocks, read, table
from tests.support.service import AUDIT_LOG, Service
from tests.support.waiting import SECONDS

PRINTED_URL = "http://127.0.0.1:8000"

README = "README.md"
QUICKSTART = "docs/quickstart.md"
IMPORT = "docs/guides/import.md"
QUESTIONS = "docs/guides/questions.md"
TOKEN_LINE = next(block for block in blocks(read(README), "bash") if block.startswith("TOKEN="))


class Output(NamedTuple):
    """`statuses` are those of all requests of curl."""

    text: str
    statuses: list[int]


class Shell:
    """Runs blocks of commands against a service. A .curlrc makes curl print each status on standard error."""

    def __init__(self, service: Service, home: Path) -> None:
        self._service = service
        self._home = home
        (home / ".curlrc").write_text('write-out = "%{stderr}%{http_code}\\n"\n')

    def run(self, block: str) -> Output:
        script = f"{TOKEN_LINE}\n{block}".replace(PRINTED_URL, self._service.url)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            env={
                "PATH": f"{Path(AUDIT_LOG).parent}:/usr/local/bin:/usr/bin:/bin",
                "HOME": str(self._home),
                "LC_ALL": "C.UTF-8",
                "AUDIT_CLIENT_URL": self._service.url,
            },
            cwd=self._home, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return Output(done.stdout, [int(line) for line in re.findall(r"^\d{3}$", done.stderr, re.MULTILINE)])


class Reader(NamedTuple):
    """A service, and the output of each block of a page that was run against it."""

    service: Service
    outputs: dict[str, Output]

    def output(self, *parts: str) -> str:
        """The output of the first block that contains all parts."""
        return next(output.text for block, output in self.outputs.items() if all(part in block for part in parts))


def follow(page: str, directory: Path) -> Iterator[Reader]:
    """Do as the page says, and yield what a reader then has."""
    (home := directory / "home").mkdir()
    with Service.start(directory / "data") as service:
        shell = Shell(service, home)
        outputs: dict[str, Output] = {}
        for block in blocks(read(page), "bash"):
            deadline = time.monotonic() + SECONDS
            output = shell.run(block)
            while '"events":[]' in output.text and time.monotonic() < deadline:
                output = shell.run(block)
            assert all(200 <= status < 300 for status in output.statuses), f"{block}\n{output}"
            outputs[block] = output
        yield Reader(service, outputs)


@pytest.fixture(scope="module")
def readme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    yield from follow(README, tmp_path_factory.mktemp("readme"))


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    yield from follow(QUICKSTART, tmp_path_factory.mktemp("quickstart"))


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    yield from follow(IMPORT, tmp_path_factory.mktemp("import"))


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    yield from follow(QUESTIONS, tmp_path_factory.mktemp("questions"))


def test_the_readme_has_the_curls_of_token_post_and_query_in_this_order() -> None:
    curls = blocks(read(README), "bash")
    assert "access-token?valid_minutes=1800" in curls[0]
    assert "POST http://127.0.0.1:8000/event \\" in curls[1]
    assert "/event?" in curls[2]


def test_the_answer_shown_for_a_post_is_the_one_that_comes(readme: Reader) -> None:
    [printed] = blocks(read(README), "http")
    printed_head, _, printed_body = printed.partition("\n\n")
    head, _, body = readme.output("POST", "/event ", "-i").partition("\n\n")
    assert printed_head.splitlines()[0] == head.splitlines()[0]
    assert json.loads(printed_body).keys() == json.loads(body).keys()
    assert f"Location: /event/{json.loads(body)['event_id']}" in head


@pytest.mark.parametrize("page", ["readme", "quickstart"])
def test_every_query_finds_what_was_posted_before(page: str, request: pytest.FixtureRequest) -> None:
    reader: Reader = request.getfixturevalue(page)
    posted = json.loads(reader.output("POST", "/event ").splitlines()[-1])
    found = [json.loads(text) for text, _ in reader.outputs.values() if text.startswith('{"events"')]
    assert len(found) == 2
    for answer in found:
        assert [event["event_id"] for event in answer["events"]] == [posted["event_id"]]


@pytest.mark.parametrize("page", ["readme", "quickstart"])
def test_the_batch_is_accepted_in_part(page: str, request: pytest.FixtureRequest) -> None:
    answer = json.loads(request.getfixturevalue(page).output("/events ", "x-ndjson"))
    assert len(answer["accepted"]) == 1
    assert answer["rejected"][0]["errors"][0]["loc"] == ["customer_id"]


def test_the_batch_in_json_of_the_quickstart_is_accepted_whole(quickstart: Reader) -> None:
    answer = json.loads(quickstart.output("/events ", "application/json"))
    assert [len(answer["accepted"]), answer["rejected"]] == [2, []]


def test_the_commands_of_the_quickstart_find_what_was_posted_before(quickstart: Reader) -> None:
    assert "outcome=success" in quickstart.output("audit-log query")


def test_the_export_of_the_quickstart_is_a_table(quickstart: Reader) -> None:
    assert "event_id,event_type,customer_id" in quickstart.output("/event/export?format=csv")


def test_what_is_imported_twice_is_stored_once_and_nothing_is_given_up(imported: Reader) -> None:
    with imported.service.client() as client:
        events = client.get("/event").json()["events"]
        checks = client.get("/ready").json()["checks"]
    assert sorted(event["event_type"] for event in events) == [
        "invoice.paid",
        "invoice.paid",
        "user.login",
        "user.login",
    ]
    assert checks["dead_letters"]["count"] == 0
    assert imported.output("audit-log query").count("invoice.paid") == 2


QUESTIONS_ANSWERED = {  # the events of each question by their numbers in the posted batch
    1: {0, 1}, 2: {2}, 3: {5, 6}, 4: {5}, 5: {1, 2}, 6: {7}, 7: {7}, 8: {9}, 9: {9}, 10: {0, 1},
}  # fmt: skip
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def test_request_command_and_link_of_every_question_find_the_same_events(questions: Reader) -> None:
    page = read(QUESTIONS)
    posted = [each["event_id"] for each in json.loads(questions.output("/events ", "EVENTS"))["accepted"]]
    sections = re.split(r"^## (?=\d)", page, flags=re.MULTILINE)[1:]
    rows = table(page, "question", "in the viewer")
    assert len(sections) == len(rows) == len(QUESTIONS_ANSWERED)
    with questions.service.client() as client:
        for (number, expected), section, (_, link) in zip(QUESTIONS_ANSWERED.items(), sections, rows, strict=True):
            request, command = blocks(section.partition("\n## ")[0], "bash")
            ids = {posted[place] for place in expected}
            answer = json.loads(questions.outputs[request].text)
            assert {event["event_id"] for event in answer["events"]} == ids, number
            assert set(_UUID.findall(questions.outputs[command].text)) == ids, number
            # The viewer sends the pairs of its address to the API as they are, but for the range of time.
            fragment = link.partition("#")[2].rstrip(")")
            pairs = [(name, value) for name, value in parse_qsl(fragment, strict_parsing=True) if name != "last"]
            found = client.get("/event", params=httpx.QueryParams(tuple(pairs))).json()["events"]
            assert {event["event_id"] for event in found} == ids, number


def test_the_question_who_acts_most_is_answered_by_a_summary(questions: Reader) -> None:
    answer = json.loads(questions.output("/event/summary"))
    assert [(row["value"], row["count"]) for row in answer["frequent"]["values"]] == [
        ("u-17", 5),
        ("u-23", 4),
        ("u-1", 2),
    ]
