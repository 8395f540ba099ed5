"""Secrets that pass through the service, marked so that they are found wherever they stay behind."""

import re
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

import httpx
import pytest

from core.domain.models import Event
from core.wiring import Services
from functions.create_event import create_event
from functions.http.handler import lambda_handler
from local_runner.telemetry import logging_config
from tests.security.shop import register
from tests.support.builders import basic, new_event, proxy_event
from tests.support.fakes import FakeQueue
from tests.support.service import AUDIT_LOG, EXECUTED, Service, get
from tests.support.waiting import SECONDS, until

LogFormat = Literal["json", "console"]
both_formats = pytest.mark.parametrize("log_format", ["json", "console"])


def canary() -> str:
    return f"canary{secrets.token_hex(20)}"


class Canaries:
    """The secrets of one run."""

    def __init__(self) -> None:
        self.jwt_secret = canary()
        self.data = canary()
        self.wrong_secret = canary()
        self.client_secret = ""
        self.token = ""

    def found_in(self, text: str) -> set[str]:
        """The names of the secrets that occur, whole or in recognisable part."""
        return {name for name, value in vars(self).items() if value and (value in text or value[-24:] in text)}


@pytest.fixture(params=["json", "console"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Service, Canaries]]:
    """A real `audit-log serve` in each log format, executed for its command line, and a client with a token."""
    canaries = Canaries()
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    client_id, canaries.client_secret = register(data_dir, jwt_secret=canaries.jwt_secret)
    settings = {"auth": "clients", "jwt_secret": canaries.jwt_secret, "log_format": request.param}
    with Service.start(data_dir, command=EXECUTED, rate_limit_failed_logins="3/minute", **settings) as service:
        answer = get(f"{service.url}/access-token", auth=(client_id, canaries.client_secret))
        canaries.token = answer.raise_for_status().json()["token"]
        yield service, canaries


def good_and_bad_requests(service: Service, canaries: Canaries) -> None:
    """Each secret where it belongs, and in each place where someone puts it by mistake."""
    token, data, secret = canaries.token, canaries.data, canaries.client_secret
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {token}"}, timeout=SECONDS) as http:
        fixed_id = "018f6b2e-7c1a-7d3e-9f00-0123456789ab"
        for value, status in ((data, 202), (f"{data}2", 422)):  # the second is a conflict with the first
            answer = http.post("/event", json=new_event(event_id=fixed_id, event_data={"x": value}))
            assert answer.status_code == status
        http.post("/events", json={"events": [new_event(event_data={"x": data}), {"event_type": data}]})
        for body in (data, f'{{"event_type": "{data}', f'{{"{data}": 1, "{data}": 2}}', f'"{data}\\ud800"'):
            http.post("/event", content=body, headers={"Content-Type": "application/json"})
            http.post("/events", content=body, headers={"Content-Type": "application/x-ndjson"})
        http.post("/event", content=data * 200_000, headers={"Content-Type": "application/json"})
        http.post("/event", content=data, headers={"Content-Type": data})
        for value in (token, data, secret, canaries.jwt_secret):
            http.get(f"/{value}")
            http.get(f"/event/{value}")
            http.get("/event", params={"event_data.x": value})
            http.get("/event", params={"event_data.x": f'"{value}'})
            http.get("/event", params={value: value, "cursor": value, "limit": value})
            http.get("/access-token", params={"client_secret": value, "valid_minutes": value})
            http.get("/access-token", headers={"Authorization": f"Bearer {value}"})
            http.get("/event", headers={"Authorization": f"Bearer {value}x", "Idempotency-Key": value})
            http.get("/event", headers={"Authorization": f"Basic {value}", "Cookie": value, "User-Agent": value})
            http.get("/event", headers={"traceparent": value, "tracestate": value, "baggage": value})
            http.request(value[:20].upper(), "/event")
            http.post("/oauth2/token", content=f"grant_type={value}&client_secret={value}", headers=form)
            http.post("/oauth2/token", params={"client_secret": value}, content=value, headers=form)
        for _ in range(5):  # the third failure is put on record, the fourth is one too many
            http.get("/access-token", headers=basic("nobody", canaries.wrong_secret))
            http.get("/access-token", headers=basic(canaries.wrong_secret, "x"))
        until(lambda: http.get(f"/event/{fixed_id}").status_code == 200)


def command_lines() -> str:
    """Those of all processes on this machine, as anyone may read them."""
    texts = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            texts.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it ended meanwhile
            continue
    return "\n".join(texts)


def test_secrets_are_in_no_log_line_no_command_line_and_no_file(run: tuple[Service, Canaries]) -> None:
    service, canaries = run
    good_and_bad_requests(service, canaries)
    lines = command_lines()
    assert f"{AUDIT_LOG} serve --port {service.port}" in lines
    assert canaries.found_in(lines) == set()
    service.stop()
    log = service.log
    assert "422" in log  # the log does record failures
    assert log.count("audit_log.request") > 20
    assert "canary" not in log
    assert canaries.found_in(log) == set()
    stolen = "".join(path.read_text("latin-1") for path in service.data_dir.rglob("*") if path.is_file())
    assert canaries.found_in(stolen) <= {"data", "wrong_secret"}
    with closing(sqlite3.connect(service.data_dir / "audit-log.db")) as connection:
        own = connection.execute("SELECT * FROM events WHERE event_type LIKE 'audit-log.%'").fetchall()
    assert canaries.found_in(str(own)) <= {"wrong_secret"}  # which was sent as a client id


class BrokenQueue(FakeQueue):
    """Fails as no part should: with an error of no known class, that holds its argument."""

    def publish(self, events: Sequence[Event], _traceparent: str | None = None) -> None:
        raise RuntimeError(f"broken by {len(events)}")


@both_formats
def test_a_crash_shows_where_it_was_and_not_what_it_was_about(
    services: Services, capfd: pytest.CaptureFixture[str], log_format: LogFormat
) -> None:
    data, token = canary(), services.issuer.issue("tests")[0]
    services.__dict__["publisher"] = BrokenQueue()
    logging_config.configure(log_format)
    request = proxy_event("POST", token=token, body=new_event(event_data={"x": data}))
    answer = lambda_handler(create_event, lambda: services)(request, None)
    log = capfd.readouterr().err
    assert answer["statusCode"] == 500
    assert "RuntimeError" in log
    assert data not in log + answer["body"]
    assert not re.search(r"eyJ[\w-]{20}", log)
