"""Load for the fault runs: every event has a unique id and number, and every response is remembered."""

import itertools
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from threading import Lock
from typing import NamedTuple

import httpx
from sqlalchemy import select

from core.domain.models import Event, NewEvent
from core.stores.engine import open_engine
from core.stores.schema import events
from tests.support.workload import Workload

POST_SECONDS = 5.0


@dataclass
class AcceptanceRecorder:
    """Sent events, as number by event id, and when each was acknowledged by a 202 (monotonic seconds)."""

    event_type: str = field(default_factory=lambda: f"faults.{uuid.uuid4()}")
    sent: dict[str, int] = field(default_factory=dict)
    acknowledged: dict[str, float] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Verdict:
    """Comparison of stored and acknowledged events. `conceded` were lost as the promise of the mode allows."""

    sent: int
    acknowledged: int
    stored: int
    lost: int
    duplicated: int
    unexpected: int
    conceded: int = 0
    oldest_conceded: float = 0.0
    """How long before the cut the oldest of these was acknowledged, in seconds: the measured bound."""

    @property
    def is_clean(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.duplicated or self.unexpected) and self.acknowledged > 0


class Cut(NamedTuple):
    """A power cut, and when the service was up again, in seconds of the monotonic clock."""

    at: float
    restarted_at: float


def new_event(recorder: AcceptanceRecorder) -> Event:
    """Build an event to publish, and record it as sent."""
    number = len(recorder.sent)
    new = NewEvent(event_type=recorder.event_type, customer_id=number % 50, event_data={"number": number})
    event = Event.received(new, at=datetime.now(UTC), by="faults")
    recorder.sent[event.event_id] = number
    return event


Condition = Callable[[], bool]


class Load(Workload):
    """Posts events from several threads to several services at a bounded rate, until its block ends."""

    def __init__(self, urls: Sequence[str], token: str, *, rate: float, threads: int = 8) -> None:
        self.recorder = AcceptanceRecorder()
        self._headers = {"Authorization": f"Bearer {token}"}
        self._numbers = itertools.count()
        self._pause = threads / rate
        self._lock = Lock()
        super().__init__(*(partial(self._post, url) for url in itertools.islice(itertools.cycle(urls), threads)))

    def goes_on(self, by: int = 1) -> Condition:
        """Whether so many more events are accepted than there are now."""
        before = len(self.recorder.acknowledged)
        return lambda: len(self.recorder.acknowledged) >= before + by

    def is_refused(self) -> Condition:
        """Whether an event is refused from now on, for want of room."""
        before = self.recorder.answers["503"]
        return lambda: self.recorder.answers["503"] > before

    def _post(self, url: str) -> None:
        recorder = self.recorder
        with httpx.Client(base_url=url, headers=self._headers, timeout=POST_SECONDS) as client:
            while not self.stop.wait(self._pause):
                event_id = str(uuid.uuid4())
                with self._lock:
                    number = recorder.sent[event_id] = next(self._numbers)
                event = {"event_id": event_id, "event_type": recorder.event_type, "customer_id": number % 50}
                try:
                    answer = str(client.post("/event", json={**event, "event_data": {"number": number}}).status_code)
                except httpx.TransportError as exc:
                    answer = type(exc).__name__
                with self._lock:
                    recorder.answers[answer] += 1
                    if answer == "202":
                        recorder.acknowledged[event_id] = time.monotonic()


def judge(
    recorder: AcceptanceRecorder,
    database_url: str,
    *,
    patience: float = 60.0,
    cuts: Sequence[Cut] = (),
    bound: float = 0.0,
) -> Verdict:
    """Wait until all that was acknowledged is stored, or nothing more has come for `patience` seconds; then compare.

    Events acknowledged less than `bound` seconds before one of the `cuts` may be lost.
    """
    rows = _stored(recorder, database_url)
    grew = time.monotonic()
    while recorder.acknowledged.keys() - {event_id for event_id, _ in rows} and time.monotonic() < grew + patience:
        time.sleep(0.2)
        before, rows = rows, _stored(recorder, database_url)
        if len(rows) > len(before):
            grew = time.monotonic()
    ids = {event_id for event_id, _ in rows}
    lost = recorder.acknowledged.keys() - ids
    ages = {one: _age(recorder.acknowledged[one], cuts) for one in lost}
    conceded = {one for one, age in ages.items() if age < bound}
    return Verdict(
        sent=len(recorder.sent),
        acknowledged=len(recorder.acknowledged),
        stored=len(ids),
        lost=len(lost - conceded),
        duplicated=sum(count - 1 for count in Counter(number for _, number in rows).values()),
        unexpected=sum(recorder.sent.get(event_id) != number for event_id, number in rows),
        conceded=len(conceded),
        oldest_conceded=round(max((ages[one] for one in conceded), default=0.0), 3),
    )


def _age(acknowledged_at: float, cuts: Sequence[Cut]) -> float:
    """Seconds from an acknowledgement to the next cut; 0 if its client saw it later, infinite without a cut."""
    ages = (max(cut.at - acknowledged_at, 0.0) for cut in cuts if acknowledged_at < cut.restarted_at)
    return next(ages, float("inf"))


def _stored(recorder: AcceptanceRecorder, database_url: str) -> list[tuple[str, int]]:
    engine = open_engine(database_url)
    try:
        with engine.connect() as connection:
            query = select(events.c.event_id, events.c.event_data).where(events.c.event_type == recorder.event_type)
            return [(event_id, data["number"]) for event_id, data in connection.execute(query)]
    finally:
        engine.dispose()
