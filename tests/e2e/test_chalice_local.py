"""`chalice local`, started as a user starts it, and the three requests of the README sent to it by curl."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.service import Service, free_port
from tests.support.waiting import SECONDS, until

ROOT = Path(__file__).parents[2]
CHALICE = str(Path(sys.executable).with_name("chalice"))
STATIC = ROOT / "functions" / "pages" / "static"
EVENT_DATA = {"admin_data": {"username": "admin", "roles": ["owner", {"since": 1.5, "until": None}]}, "ü": True}


@pytest.fixture(scope="module")
def chalice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """With the reloader that is on by default, which is why the project directory is watched by a parent process."""
    port = free_port()
    command = [CHALICE, "--project-dir", "chalice_config", "local", "--port", str(port)]
    service = Service(command, port, tmp_path_factory.mktemp("chalice"), {}, cwd=ROOT)
    try:
        yield service.wait_until_up()
    finally:
        service.stop()
        with contextlib.suppress(ProcessLookupError):  # the reloader may leave the server behind it running
            os.killpg(service.process.pid, signal.SIGKILL)


def curl(*arguments: str) -> httpx.Response:
    """What curl got, in httpx's form."""
    done = subprocess.run(
        ["curl", "-sS", "-i", "--max-time", str(SECONDS), *arguments], capture_output=True, check=True
    )
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    status_line, *headers = head.decode().split("\r\n")
    pairs = [(name, value) for name, _, value in (header.partition(": ") for header in headers)]
    return httpx.Response(int(status_line.split()[1]), headers=pairs, content=body)


def assert_problem(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert answer.json()["instance"] == answer.headers["X-Request-Id"]


@pytest.fixture(scope="module")
def bearer(chalice: Service) -> str:
    answer = curl(f"{chalice.url}/access-token?valid_minutes=1800")
    assert answer.status_code == 200
    assert answer.json()["expires_in"] == 1800 * 60
    return f"Authorization: Bearer {answer.json()['token']}"


def post(chalice: Service, bearer: str, event: dict[str, Any]) -> httpx.Response:
    return curl(
        "-X", "POST", f"{chalice.url}/event", "-H", bearer, "-H", "Content-Type: application/json",
        "-d", json.dumps(event),
    )  # fmt: skip


def test_an_event_posted_is_found_and_looked_up(chalice: Service, bearer: str) -> None:
    event = {"event_type": "chalice.local", "customer_id": 7, "event_data": EVENT_DATA}
    posted = post(chalice, bearer, event)
    assert posted.status_code == 202
    assert posted.json()["status"] == "queued"

    query = f"{chalice.url}/event?event_type=chalice.local&customer_id=7"
    found = until(lambda: curl(query, "-H", bearer).json()["events"])
    assert [one["event_id"] for one in found] == [posted.json()["event_id"]]
    assert {name: found[0][name] for name in event} == event

    looked_up = curl(f"{chalice.url}{posted.headers['Location']}", "-H", bearer)
    assert looked_up.status_code == 200
    assert looked_up.json() == found[0]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_wrong_method_is_told_which_are_right(chalice: Service, method: str) -> None:
    answer = curl("-X", method, f"{chalice.url}/event")
    assert_problem(answer, 405)
    assert answer.headers["Allow"] == "GET, HEAD, POST"


def test_the_log_has_the_fields_of_its_records_and_no_noise(chalice: Service) -> None:
    curl(f"{chalice.url}/access-token")
    until(lambda: "route='/access-token'" in chalice.log)
    line = next(line for line in chalice.log.splitlines() if "route='/access-token'" in line)
    assert line.startswith("request ")
    assert "status=200" in line
    assert "setup plugin" not in chalice.log


def test_a_wrong_media_type_is_answered_by_the_handler(chalice: Service, bearer: str) -> None:
    answer = curl(f"{chalice.url}/event", "-H", bearer, "-d", '{"customer_id": 7}')  # curl calls it a form
    assert_problem(answer, 415)


def test_broken_json_is_not_our_failure(chalice: Service, bearer: str) -> None:
    answer = curl(f"{chalice.url}/event", "-H", bearer, "-H", "Content-Type: application/json", "-d", '{"a": ')
    assert_problem(answer, 400)


def test_a_chunked_body_is_refused_with_what_to_send(chalice: Service, bearer: str) -> None:
    event = json.dumps({"event_type": "chalice.local", "customer_id": 7, "event_data": EVENT_DATA})
    headers = ("-H", bearer, "-H", "Content-Type: application/json", "-H", "Transfer-Encoding: chunked")
    answer = curl(f"{chalice.url}/event", *headers, "-d", event)
    assert_problem(answer, 400)
    assert "send the body with a Content-Length" in answer.json()["detail"]


def test_without_a_token_there_is_a_challenge(chalice: Service) -> None:
    answer = curl(f"{chalice.url}/event?event_type=chalice.local")
    assert_problem(answer, 401)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_head_is_get_without_the_body(chalice: Service) -> None:
    answer = curl("--head", f"{chalice.url}/docs")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.content == b""


@pytest.mark.parametrize(
    ("path", "file", "media_type"),
    [
        ("/docs", "docs.html", "text/html; charset=utf-8"),
        ("/docs/swagger-ui.css", "swagger-ui.css", "text/css; charset=utf-8"),
        ("/docs/favicon-32x32.png", "favicon-32x32.png", "image/png"),
    ],
)
def test_the_page_and_its_files_arrive_whole(chalice: Service, path: str, file: str, media_type: str) -> None:
    answer = curl(f"{chalice.url}{path}")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == media_type
    assert answer.content == (STATIC / file).read_bytes()
