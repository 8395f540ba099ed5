"""A service with registered clients: handlers over fakes, on a clock of the test; and how to register one for real."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.auth.clients import create, disable
from core.auth.tokens import READ, WRITE
from core.domain.models import Client
from core.settings import Settings
from core.wiring import Services
from functions import create_event, query_events, token
from functions.http.handler import Operation, lambda_handler
from tests.support import forked
from tests.support.builders import basic, new_event, proxy_event
from tests.support.fakes import FakeClients, FakeClock, FakeMeter, FakeQueue, FakeStore
from tests.support.service import AUDIT_LOG, environment

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


class Shop:
    """One active client, one disabled one, and services that know both."""

    def __init__(self, settings: Settings, **changes: object) -> None:
        self.client, self.secret = create("billing", [READ, WRITE], None, at=NOW)
        self.disabled, self.disabled_secret = create("gone", [READ, WRITE], None, at=NOW)
        self.clients = FakeClients(self.client, disable(self.disabled, at=NOW))
        self.clock = FakeClock(NOW.timestamp())
        self.queue = FakeQueue()
        self.store = FakeStore()
        self.meter = FakeMeter()
        usual = {"auth": "clients", "rate_limit_failed_logins": "1000/minute"}
        self.services = Services(
            settings.model_copy(update={**usual, **changes}),
            clients=self.clients, clock=self.clock, publisher=self.queue, reader=self.store, writer=self.store,
            checks={}, meter=self.meter,
        )  # fmt: skip

    def change(self, client: Client) -> None:
        self.clients.by_id[client.client_id] = client

    def token(self, **options: Any) -> str:
        """A token that is signed for the active client, whatever it says."""
        return self.services.issuer.issue(self.client.client_id, **options)[0]

    def answer(self, operation: Operation, **request: Any) -> dict[str, Any]:
        return lambda_handler(operation, lambda: self.services)(proxy_event(**request), None)

    def login(self, client_id: str | None = None, secret: str | None = None) -> dict[str, Any]:
        """The response of GET /access-token, and its decoded body."""
        headers = basic(client_id or self.client.client_id, self.secret if secret is None else secret)
        answer = self.answer(token.issue_token, path="/access-token", headers=headers)
        return {**json.loads(answer["body"]), **answer}

    def read(self, text: str) -> int:
        status: int = self.answer(query_events.query_events, token=text)["statusCode"]
        return status

    def write(self, text: str, **fields: Any) -> int:
        answer = self.answer(create_event.create_event, method="POST", token=text, body=new_event(**fields))
        status: int = answer["statusCode"]
        return status


def register(data_dir: Path, *options: str, **settings: str) -> tuple[str, str]:
    """Register a client in the database of `data_dir`, as an operator does; its id and secret."""
    for command in (["migrate"], ["client", "create", "--name", "tests", *options]):
        done = forked.run([AUDIT_LOG, *command], env=environment(data_dir, **settings), check=True)
    printed = dict(line.split(":", 1) for line in done.stdout.splitlines())
    return printed["client_id"].strip(), printed["client_secret"].strip()
