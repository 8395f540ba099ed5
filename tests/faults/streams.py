"""Faults of streams: two senders are killed and stopped, and a destination on this machine fails and hangs.

As a program, `python -m tests.faults.streams URL` sends the streams of a database until it is killed.
"""

import json
import random
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Final

from core.domain.actors import Actor
from core.domain.models import Event
from core.domain.streams import StreamDefinition
from core.settings import Settings
from core.stores.migrations.upgrade import migrate
from core.streams.dispatcher import Dispatcher
from core.wiring import Services
from tests.faults.ledger import database_of
from tests.faults.load import Verdict
from tests.faults.workers import LEASE_SECONDS, Workers, storing, work_for_ever
from tests.support.builders import event
from tests.support.waiting import until

_HANG_SECONDS: Final = 1.5
_KEY: Final = "the-fault-runs-encrypt-secrets-with-this-key"

_dice: Final = random.Random()  # noqa: S311 - no secret


def sent_by_two(seconds: int, database: str) -> Verdict:
    """Send a stream to a flapping destination, and in each second perhaps kill or stop a sender.

    `conceded` are the repeats, which the promise allows.
    """
    with database_of(database) as url, _destination() as destination:
        services = _services(url)
        migrate(services.database.engine)
        definition = StreamDefinition.model_validate(
            {
                "name": "faults",
                "destination": {"kind": "http", "url": destination.url, "body": "array"},
                "filter": "event_type=user.login",
                "batch": 20,
            }
        )
        services.streams.registry.create(definition, {}, 0, Actor("faults", is_operator=True))
        with closing(services), Workers("tests.faults.streams", url) as workers:
            with storing(services.database, _batch) as events:
                workers.disturb(seconds)
            stored = [each.event_id for each in events]
            destination.is_flapping = False
            until(lambda: set(stored) <= set(destination.taken), "the last event", seconds=120)
    return _judge(stored, destination.taken)


def _judge(stored: list[str], taken: list[str]) -> Verdict:
    first_deliveries = list(dict.fromkeys(taken))
    lost = len(set(stored) - set(taken))
    in_order = first_deliveries == [each for each in stored if each in set(taken)]
    unexpected = len(set(taken) - set(stored)) + (not in_order)
    repeats = len(taken) - len(first_deliveries)
    return Verdict(len(stored), len(stored), len(first_deliveries), lost, 0, unexpected, repeats)


def _batch(first: int) -> list[Event]:
    return [event(first + number) for number in range(_dice.randint(1, 30))]


class _Destination:
    """Takes events, or fails in one of several ways. `taken` has the ids of all events that it has read, in order."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.is_flapping = True
        self.lock = Lock()
        self.url = ""

    def take(self, ids: list[str]) -> str:
        """Return how to answer: the events are taken, refused for now, or taken without an answer."""
        dice = _dice.random() if self.is_flapping else 1.0
        if dice < 0.15:
            return "unavailable"
        if dice < 0.2:
            return "later"
        with self.lock:
            self.taken += ids
        if dice < 0.25:
            return "lost"
        if dice < 0.3:
            time.sleep(_HANG_SECONDS)
        return "taken"


@contextmanager
def _destination() -> Iterator[_Destination]:
    destination = _Destination()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = destination.take([each["event_id"] for each in body])
            if answer == "lost":
                self.close_connection = True
                return
            self.send_response({"unavailable": 503, "later": 429}.get(answer, 204))
            if answer == "later":
                self.send_header("Retry-After", "1")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        destination.url = f"http://127.0.0.1:{server.server_port}/"
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield destination
        finally:
            server.shutdown()


def _services(url: str) -> Services:
    environ = {
        "AUDIT_LOG_DATABASE_URL": url,
        "AUDIT_LOG_STREAMS_ALLOW": "127.0.0.0/8",
        "AUDIT_LOG_SECRETS_KEY": _KEY,
        "AUDIT_LOG_LEDGER": "off",
    }
    return Services(Settings.from_environ(environ))


def main() -> None:
    """Send until the process is killed."""
    services = _services(sys.argv[1])
    sender = services.streams.sender
    work_for_ever(Dispatcher(sender, lease_seconds=LEASE_SECONDS).round)


if __name__ == "__main__":
    main()
