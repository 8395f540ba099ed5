"""Fakes with state, for the parts that a test does not need to run for real."""

import base64
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from threading import Event as Flag
from typing import Any

import orjson

from core.domain.erasures import Erased
from core.domain.matching import is_scalar, matches, typed, values_at
from core.domain.models import Client, Event
from core.domain.queries import EventFilter, Listing, Matches, PageRequest, Step
from core.domain.summaries import (
    Bucket,
    CustomerCount,
    Frequencies,
    Summary,
    TypeCount,
    ValueCount,
    bucket_seconds,
    bucket_starts,
)
from core.errors import (
    CursorAheadError,
    EventNotStorableError,
    QueueFullError,
    QueueUnavailableError,
    StoreUnavailableError,
)
from core.ports.feed import FeedPage, FeedRequest
from core.ports.queue import Message
from core.ports.store import Outcome
from core.ports.telemetry import CounterName, HistogramName
from core.wiring import Services
from functions.http.handler import Operation, lambda_handler
from functions.http.request import ProxyEvent
from tests.support.builders import proxy_event

COUNT_LIMIT = 10_000


class FakeClock:
    """A clock that stands still until a test sets it."""

    def __init__(self, now: float = 1_700_000_000) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class FakeQueue:
    """An `EventPublisher` that keeps events in a list, up to a capacity."""

    def __init__(self, capacity: int = 1000) -> None:
        self.capacity = capacity
        self.events: list[Event] = []
        self.traceparents: list[str | None] = []
        """The traceparent of each event."""

    def publish(self, events: Sequence[Event], traceparent: str | None = None) -> None:
        if len(self.events) + len(events) > self.capacity:
            raise QueueFullError("The queue is full.")
        self.events.extend(events)
        self.traceparents.extend([traceparent] * len(events))

    @property
    def bodies(self) -> list[str]:
        """The bodies of the messages."""
        return [event.model_dump_json() for event in self.events]


class FakeDeadLetters:
    """Dead letters of an in-memory queue, oldest first. Raises while `down` is set."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.down = False

    def add(self, messages: Sequence[Message]) -> None:
        self._require_up()
        self.messages.extend(messages)

    @property
    def bodies(self) -> list[str]:
        return [message.body for message in self.messages]

    def _require_up(self) -> None:
        if self.down:
            raise QueueUnavailableError("The dead letters cannot be used at the moment.")


class FakeMeter:
    """A `Meter` that keeps counts and observations."""

    def __init__(self) -> None:
        self.counts: Counter[CounterName] = Counter()
        self.values: defaultdict[HistogramName, list[float]] = defaultdict(list)

    def count(self, what: CounterName, amount: int) -> None:
        self.counts[what] += amount

    def measure(self, what: HistogramName, values: Iterable[float]) -> None:
        self.values[what].extend(values)


class FakeStore:
    """An event store in a dict.

    Raises while `down` is set, `calls_left` is 0, or a batch has more than `largest_batch` events, rejects
    `refused_types`, and has a bug with `crashing_types`.
    """

    def __init__(self) -> None:
        self.events: dict[str, Event] = {}
        self.down = False
        self.calls_left = math.inf
        self.refused_types: set[str] = set()
        self.crashing_types: set[str] = set()
        self.largest_batch = math.inf
        self.batches: list[int] = []

    def check(self) -> dict[str, object]:
        self._require_up()
        return {}

    def add(self, events: Sequence[Event]) -> list[Outcome]:
        self._require_up()
        if len(events) > self.largest_batch:
            raise StoreUnavailableError("The store took too long.")
        self.batches.append(len(events))
        if any(event.event_type in self.refused_types or not _is_storable(event) for event in events):
            raise EventNotStorableError("The store refuses the event.")
        if any(event.event_type in self.crashing_types for event in events):
            raise ZeroDivisionError
        return [self._add(event) for event in events]

    def find_page(self, event_filter: EventFilter, page: PageRequest) -> Matches:
        self._require_up()
        found = [event for event in self.events.values() if matches(event, event_filter)]
        found.sort(key=_place, reverse=page.order == "desc")
        first = page.offset
        if page.after is not None:
            after = (page.after.timestamp_utc, page.after.event_id)
            first = sum(_place(event) >= after if page.order == "desc" else _place(event) <= after for event in found)
        return Matches(
            events=found[first : first + page.limit],
            more=first + page.limit < len(found),
            total_count=min(len(found), COUNT_LIMIT),
            total_relation="eq" if len(found) <= COUNT_LIMIT else "gte",
        )

    def list_page(self, event_filter: EventFilter, page: PageRequest) -> Listing:
        return self.find_page(event_filter, page)

    def erased(self, event_ids: Sequence[str]) -> dict[str, Erased]:  # noqa: ARG002 - the port's signature
        self._require_up()
        return {}  # it erases none

    def newest_receive_time(self) -> datetime | None:
        self._require_up()
        return max((event.received_at for event in self.events.values()), default=None)

    def get(self, event_id: str) -> Event | None:
        self._require_up()
        return self.events.get(event_id)

    def summarize(self, event_filter: EventFilter, by: Sequence[Step] = ()) -> Summary:
        self._require_up()
        found = [event for event in self.events.values() if matches(event, event_filter)]
        column_filters = event_filter.model_copy(update={"data": (), "conditions": (), "words": ()})
        values = Counter(
            value for event in found for value in set(map(typed, filter(is_scalar, values_at(event.event_data, by))))
        )
        times = [event.timestamp_utc for event in self.events.values() if matches(event, column_filters)]
        start = event_filter.start if event_filter.start is not None or not times else min(times)
        end = event_filter.end if event_filter.end is not None or not times else max(times)
        width = bucket_seconds(start, end) if times and start is not None and end is not None else 1
        starts = bucket_starts(start, end, width) if times and start is not None and end is not None else ()
        counts = Counter(event.timestamp_utc - event.timestamp_utc % width for event in found)
        types = Counter(event.event_type for event in found)
        customers = Counter(event.customer_id for event in found)
        return Summary(
            start=start,
            end=end,
            bucket_seconds=width,
            buckets=[Bucket(start=at, count=counts[at]) for at in starts],
            total_count=len(found),
            total_relation="eq",
            counted_from=start,
            frequent=Frequencies(
                event_types=[
                    TypeCount(event_type=name, count=types[name])
                    for name in sorted(types, key=lambda name: (-types[name], name))
                ],
                customers=[
                    CustomerCount(customer_id=id_, count=customers[id_])
                    for id_ in sorted(customers, key=lambda id_: (-customers[id_], id_))
                ],
                values=[
                    ValueCount(value=value[1], count=values[value])
                    for value in sorted(values, key=lambda value: (-values[value], value))
                ]
                if by
                else None,
                sample=len(found),
                sample_relation="eq",
            ),
        )

    def read(self, request: FeedRequest) -> FeedPage:
        """See `FeedReader.read`: events have their indices at once."""
        self._require_up()
        events = list(enumerate(self.events.values()))
        start = len(events) if request.position is None else request.position
        if start > len(events):
            raise CursorAheadError("The log ends before this cursor.")
        found = [(index, event) for index, event in events[start:] if matches(event, request.event_filter)]
        more = len(found) > request.limit
        return FeedPage(found[: request.limit], found[request.limit][0] if more else len(events), more, skipped=0)

    def size(self) -> int:
        """See `FeedReader.size`."""
        return len(self.events)

    def position_at(self, moment: datetime) -> int:
        """See `FeedReader.position_at`: events are stored when they are received."""
        later = (index for index, event in enumerate(self.events.values()) if event.received_at >= moment)
        return next(later, len(self.events))

    def stored_at(self, position: int) -> datetime | None:
        """See `FeedReader.stored_at`."""
        events = list(self.events.values())
        return events[position].received_at if position < len(events) else None

    def cursor_key(self) -> bytes:
        """See `FeedReader.cursor_key`."""
        return b"k" * 32

    def _add(self, event: Event) -> Outcome:
        kept = self.events.get(event.event_id)
        if kept is not None:
            return Outcome.DUPLICATE if event.same_content(kept) else Outcome.CONFLICT
        self.events[event.event_id] = event
        return Outcome.STORED

    def _require_up(self) -> None:
        if self.down or not self.calls_left:
            raise StoreUnavailableError("The event store cannot be used at the moment.")
        self.calls_left -= 1


class FakeClients:
    """A `ClientReader` in a dict that records its calls in order. Raises while `down` is set, waits while `hanging`."""

    def __init__(self, *clients: Client) -> None:
        self.by_id = {client.client_id: client for client in clients}
        self.down = False
        self.calls: list[str] = []
        self._goes_on = Flag()
        self._goes_on.set()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Questions of the block are answered once it has ended."""
        self._goes_on.clear()
        try:
            yield
        finally:
            self._goes_on.set()

    def client(self, client_id: str) -> Client | None:
        self._called("client")
        return self.by_id.get(client_id)

    def revocations(self) -> dict[str, float]:
        self._called("revocations")
        return {client.client_id: client.first_valid_iat for client in self.by_id.values() if client.first_valid_iat}

    def record_use(self, client_id: str, at: datetime) -> None:
        self._called("record_use")
        self.by_id[client_id] = self.by_id[client_id].model_copy(update={"last_used_at": at})

    def _called(self, call: str) -> None:
        self.calls.append(call)
        self._goes_on.wait()
        if self.down:
            raise StoreUnavailableError("The event store cannot be used at the moment.")


@dataclass(frozen=True)
class Answer:
    """A proxy response as an HTTP client sees it."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def errors(self) -> dict[str, str]:
        """The messages of a problem's errors, by field path."""
        return {".".join(map(str, error["loc"])): error["msg"] for error in self.json["errors"]}


class FakeGateway:
    """Calls operations as API Gateway calls their Lambda functions, by default with a valid token."""

    def __init__(self, services: Services, client: str = "tests", **claims: Any) -> None:
        self.services = services
        self.token, _ = services.issuer.issue(client, **claims)

    def call(self, operation: Operation, method: str = "GET", path: str = "/event", **parts: Any) -> Answer:
        """Return the response to a request; `parts` are those of `proxy_event`."""
        return self.handle(operation, proxy_event(method, path, **{"token": self.token, **parts}))

    def handle(self, operation: Operation, event: ProxyEvent) -> Answer:
        """Return the response to a proxy event."""
        response = lambda_handler(operation, lambda: self.services)(event, None)
        body = response["body"]
        content = base64.b64decode(body) if response["isBase64Encoded"] else body.encode()
        return Answer(response["statusCode"], response["headers"], content)


def _place(event: Event) -> tuple[int, str]:
    return event.timestamp_utc, event.event_id


def _is_storable(event: Event) -> bool:
    try:
        orjson.dumps(event.event_data)
    except orjson.JSONEncodeError:
        return False
    return True
