"""Cold starts as in Lambda: a new interpreter, one handler, one event."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import uuid_utils

from core.auth import clients
from core.auth.tokens import SCOPES
from core.domain.audit_events import audit_event
from core.settings import Settings
from core.stores.clients import SqlClientStore
from core.stores.engine import open_engine
from core.stores.migrations.upgrade import migrate
from core.stores.sql import SqlEventStore
from core.wiring import Services
from tests.support.builders import basic, event, new_event, proxy_event, sqs_event
from tests.support.waiting import SECONDS

Auth = Literal["open", "clients", "list"]
"""`list`: clients, whose revoked tokens are in a list outside of the database."""

HANDLERS = (
    "token", "oauth_token", "create_event", "create_events", "query_events", "get_event", "consume_events", "health",
    "jwks", "event_summary", "event_feed", "pages.docs", "pages.viewer",
)  # fmt: skip
SECRET = "c0ld-Xq7vKp2mZr9tWb4nYc6hJd8sLf3gAe5u"
ROOT = Path(__file__).parents[2]
PROGRAM = "import tests.support.first_call; tests.support.first_call.main()"


@dataclass(frozen=True)
class ColdStart:
    """Milliseconds of each step, the modules after the import and after the calls, and the text on stderr."""

    import_ms: float
    imported: frozenset[str]
    loaded: frozenset[str]
    log: str
    first_ms: float = 0.0
    second_ms: float = 0.0
    answer: Mapping[str, Any] | None = None

    @property
    def whole_ms(self) -> float:
        """Until the first answer."""
        return self.import_ms + self.first_ms


def cold_start(
    module: str,
    *,
    asked: Mapping[str, Any] | None = None,
    before: Sequence[str] = (),
    without: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
    listed: bool = False,
    cwd: Path = ROOT,
) -> ColdStart:
    """Import `module` in a new interpreter and let its handler answer `asked`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AUDIT_LOG_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps({"module": module, "event": asked, "before": before, "without": without, "listed": listed}),
        env={**inherited, "PYTHONPATH": str(ROOT), **(settings or {})},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    told |= {name: frozenset(told[name]) for name in ("imported", "loaded")}
    return ColdStart(**told, log=done.stderr)


class Deployment:
    """The settings of a deployment on a broker, and a SQLite file with a client and an event in it."""

    def __init__(self, data_dir: Path, auth: Auth = "open", **settings: str) -> None:
        data_dir.mkdir(exist_ok=True)
        self._listed = auth == "list"
        given = {
            "data_dir": str(data_dir),
            "auth": "open" if auth == "open" else "clients",
            "queue_url": "amqp://127.0.0.1/",
            "jwt_secret": SECRET,
        }
        self.settings = {f"AUDIT_LOG_{name.upper()}": value for name, value in (given | settings).items()}
        services = Services(Settings.from_environ(self.settings))
        engine = open_engine(services.settings.store_url)
        migrate(engine)
        now = datetime.now(UTC)
        client, secret = clients.create("cold", SCOPES, None, at=now)
        SqlClientStore(engine).save_client(client, audit_event("client.created", client.client_id, at=now))
        self._credentials = basic(client.client_id, secret) if auth != "open" else {}
        self._token = services.issuer.issue(client.client_id)[0]
        self._stored = event(event_id=str(uuid_utils.uuid7()))
        SqlEventStore(engine).add([self._stored])
        engine.dispose()

    def asked(self, handler: str) -> dict[str, Any]:
        """An event for a handler that it answers with success; to be consumed are ten that are new."""
        form = {"Content-Type": "application/x-www-form-urlencoded", **self._credentials}
        place = {"event_id": self._stored.event_id}
        fresh = [event(number, event_id=str(uuid_utils.uuid7())) for number in range(10)]
        return {
            "token": proxy_event("GET", "/access-token", query=[("valid_minutes", "60")], headers=self._credentials),
            "oauth_token": proxy_event("POST", "/oauth2/token", body="grant_type=client_credentials", headers=form),
            "create_event": proxy_event("POST", token=self._token, body=new_event()),
            "create_events": proxy_event("POST", "/events", token=self._token, body={"events": [new_event()] * 10}),
            "query_events": proxy_event(token=self._token, query=[("customer_id", "42"), ("limit", "10")]),
            "get_event": proxy_event(token=self._token, path_parameters=place),
            "consume_events": sqs_event(*(item.model_dump_json() for item in fresh)),
            "health": proxy_event("GET", "/health"),
            "pages.docs": proxy_event("GET", "/docs"),
            "jwks": proxy_event("GET", "/.well-known/jwks.json"),
            "event_feed": proxy_event("GET", "/event/feed", token=self._token),
            "event_summary": proxy_event("GET", "/event/summary", token=self._token),
            "pages.viewer": proxy_event("GET", "/"),
        }[handler]

    def cold_start(self, handler: str, **options: Any) -> ColdStart:
        """The cold start of a handler with its event; `options` as of the function of that name."""
        asked = self.asked(handler)
        return cold_start(f"functions.{handler}", asked=asked, settings=self.settings, listed=self._listed, **options)
