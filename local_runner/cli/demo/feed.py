"""The events of the demo: fills its log up to now, and adds an event every few seconds."""

import json
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from threading import Event, Thread
from types import TracebackType
from typing import Final, Self

import uuid_utils

from audit_log_client import Api, AuditLogClientError, Filters
from audit_log_client.models import MAX_BATCH_EVENTS
from local_runner.cli.demo.dataset import LAST_ACT, DemoEvent, history, ordinary_event

_PAUSES: Final = (4.0, 12.0)
_START_SECONDS: Final = 30.0
_STORE_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Contents:
    """Times of events in the log of the demo, in Unix seconds: the first one, and the last act of the takeover."""

    first: int
    takeover: int | None


class _StoppedError(Exception):
    """The service ends."""


class Feed:
    """Sends events to the service at `url` in a thread, from `start` until the block is left.

    `on_filled` is called once the log has events up to now.
    """

    def __init__(self, url: str, on_filled: Callable[[Contents], None]) -> None:
        self._url = url
        self._on_filled = on_filled
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="demo")

    def start(self) -> None:
        """Begin. The service at the address has to be that of the demo."""
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            with Api(self._url, patience=_START_SECONDS, sleep=self._pause) as api:
                self._fill(api)
                self._on_filled(self._contents(api))
                chance = random.Random()  # noqa: S311 - sample data, no secret
                while True:
                    self._pause(chance.uniform(*_PAUSES))
                    api.send([_encode(ordinary_event(chance, int(time.time())))])
        except _StoppedError:
            pass
        except AuditLogClientError:
            if not self._stopped.is_set():
                raise

    def _fill(self, api: Api) -> None:
        newest = api.page(Filters(), limit=1)["events"]
        missing = [*map(_encode, history(int(time.time()), newest[0]["timestamp_utc"] if newest else 0))]
        for start in range(0, len(missing), MAX_BATCH_EVENTS):
            self._pause(0)
            api.send(missing[start : start + MAX_BATCH_EVENTS])

    def _contents(self, api: Api) -> Contents:
        deadline = time.monotonic() + _STORE_SECONDS
        while not (acts := api.page(Filters(event_types=(LAST_ACT,)), limit=1)["events"]):
            if time.monotonic() > deadline:
                break
            self._pause(0.1)
        [first] = api.page(Filters(), order="asc", limit=1)["events"]
        return Contents(first["timestamp_utc"], acts[0]["timestamp_utc"] if acts else None)

    def _pause(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise _StoppedError


def _encode(event: DemoEvent) -> bytes:
    return json.dumps({"event_id": str(uuid_utils.uuid7()), **asdict(event)}).encode()
