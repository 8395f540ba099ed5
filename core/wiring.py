"""The composition root: from settings to real parts. With `core.queues.brokers` the only file that names adapters."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache, cached_property
from importlib.metadata import entry_points
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from core.domain.models import Event
from core.ports.clients import ClientReader
from core.ports.queue import DeadLetterQueue, EventPublisher, EventSource, QueueMonitor
from core.ports.store import EventReader, EventSummaries, EventWriter
from core.ports.telemetry import AcceptanceRecorder, Check, CounterName, HistogramName, Meter
from core.queues.brokers import SCHEMES, BrokerPublisher, Closable, broker, unknown_scheme
from core.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from core.auth.client_registry import ClientRegistry
    from core.auth.clients import Authenticator
    from core.auth.keys import KeyRing
    from core.auth.last_answer import LastAnswer
    from core.auth.rate_limits import RateLimiter
    from core.auth.tokens import TokenIssuer, TokenVerifier
    from core.domain.clock import Clock
    from core.stores.event_counters import SqlEventCounters
    from core.stores.sql import SqlEventStore

_PIPELINES = "audit_log.pipelines"
_T = TypeVar("_T", bound=Closable)


class Services:
    """The parts that handlers work with, each built at its first use: a function pays only for what it calls.

    So the module of a part is imported with it (`docs/explanation/performance.md` tells what each costs).
    Tests and the local runner pass in the parts that they bring themselves.
    """

    def __init__(  # noqa: PLR0913 - one optional argument per part
        self,
        settings: Settings,
        *,
        publisher: EventPublisher | None = None,
        reader: EventReader | None = None,
        summaries: EventSummaries | None = None,
        writer: EventWriter | None = None,
        clients: ClientReader | None = None,
        dead_letters: DeadLetterQueue | None = None,
        queue_statistics: QueueMonitor | None = None,
        checks: Mapping[str, Check] | None = None,
        event_counters: "SqlEventCounters | None" = None,
        meter: Meter | None = None,
        ledger: AcceptanceRecorder | None = None,
        database_password: Callable[[], str] | None = None,
        clock: "Clock" = time.time,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.meter: Meter = meter or _Unobserved()
        self._ledger: AcceptanceRecorder = ledger or _Unobserved()
        self._database_password = database_password
        self._opened = ExitStack()
        self._last_answers: list[LastAnswer[Any]] = []
        given = {
            "publisher": publisher, "reader": reader, "summaries": summaries, "writer": writer, "clients": clients,
            "dead_letters": dead_letters, "queue_statistics": queue_statistics, "checks": checks,
            "event_counters": event_counters,
        }  # fmt: skip
        # A cached_property keeps its value here: what is given takes the place of what would be built.
        self.__dict__.update({name: part for name, part in given.items() if part is not None})

    @cached_property
    def publisher(self) -> EventPublisher:
        """Where accepted events go."""
        return self._broker_publisher

    @cached_property
    def source(self) -> EventSource:
        """Where a consumer takes events from."""
        return self._until_closed(broker(self.settings).source(self.settings.queue_url))

    @cached_property
    def dead_letters(self) -> DeadLetterQueue:
        """Where events are that were given up."""
        return self._until_closed(broker(self.settings).dead_letters(self.settings.queue_url))

    @cached_property
    def reader(self) -> EventReader:
        """Where events are looked up."""
        return self._store

    @cached_property
    def summaries(self) -> EventSummaries:
        """Where events are counted."""
        from core.stores.summaries import SqlEventSummaries  # noqa: PLC0415 - as for the events

        return SqlEventSummaries(self.engine)

    @cached_property
    def writer(self) -> EventWriter:
        """Where events are stored."""
        return self._store

    @cached_property
    def queue_statistics(self) -> QueueMonitor:
        """Reads how much the queue holds."""
        return self._broker_publisher.statistics

    @cached_property
    def checks(self) -> Mapping[str, Check]:
        """What must work for the service to be ready, by name."""
        return {
            "queue": lambda: self.queue_statistics().facts(),
            "store": self._store.check,
            "migrations": self._check_revision,
        }

    @cached_property
    def clients(self) -> ClientReader:
        """Where clients are looked up."""
        from core.stores.clients import SqlClientStore  # noqa: PLC0415 - with its part

        return SqlClientStore(self.engine)

    @cached_property
    def client_registry(self) -> "ClientRegistry":
        """Registers and changes clients."""
        from core.auth.client_registry import ClientRegistry  # noqa: PLC0415 - with its part
        from core.stores.clients import SqlClientStore  # noqa: PLC0415 - with its part

        return ClientRegistry(SqlClientStore(self.engine), self.clock)

    @cached_property
    def authenticator(self) -> "Authenticator":
        """Checks the secrets of clients."""
        from core.auth.clients import Authenticator  # noqa: PLC0415 - with its part

        return Authenticator(self.clients)

    @cached_property
    def keys(self) -> "KeyRing":
        """The keys of this service's tokens."""
        from core.auth.keys import key_ring  # noqa: PLC0415 - with its part

        return key_ring(self.settings)

    @cached_property
    def issuer(self) -> "TokenIssuer":
        """Makes access tokens."""
        from core.auth.tokens import TokenIssuer  # noqa: PLC0415 - with its part

        return TokenIssuer(self.settings, self.keys.signing, self.clock)

    @cached_property
    def verifier(self) -> "TokenVerifier":
        """Checks access tokens, ours and those of the trusted issuer."""
        from core.auth.tokens import TokenVerifier, TrustedIssuer  # noqa: PLC0415 - with its part

        settings = self.settings
        issuers = [TrustedIssuer(settings.jwt_issuer, settings.jwt_audience, self.keys)]
        if settings.trusted_issuer and settings.trusted_audience and settings.trusted_jwks_url:
            from core.auth.remote_keys import (  # noqa: PLC0415 - an HTTP client that few need
                TrustedKeys,
                provider_keys,
            )

            keys = provider_keys(settings.trusted_jwks_url, self.clock)
            self._last_answers.append(keys)
            trusted = TrustedKeys(keys)
            issuers.append(TrustedIssuer(settings.trusted_issuer, settings.trusted_audience, trusted, foreign=True))
        if settings.auth == "open":
            return TokenVerifier(issuers, settings.token_max_minutes, self.clock)
        from core.auth.clients import disabled_clients  # noqa: PLC0415 - with its part

        disabled = disabled_clients(self.clients, self.clock)
        self._last_answers.append(disabled)
        return TokenVerifier(
            issuers, settings.token_max_minutes, self.clock, lambda client_id: client_id in disabled.latest()
        )

    @cached_property
    def event_counters(self) -> "SqlEventCounters":
        """What was counted of accepted and stored events."""
        from core.stores.event_counters import SqlEventCounters  # noqa: PLC0415 - with its part

        return SqlEventCounters(self.engine)

    @cached_property
    def limiter(self) -> "RateLimiter":
        """Counts requests and failures."""
        from core.auth.rate_limits import RateLimiter  # noqa: PLC0415 - with its part

        return RateLimiter(self.settings)

    @cached_property
    def engine(self) -> "Engine":
        """The database of events, for what is done to it as a whole."""
        from core.stores.engine import open_engine  # noqa: PLC0415 - with its part

        engine = open_engine(self.settings.store_url, self._database_password)
        self._opened.callback(engine.dispose)
        return engine

    def publish(self, events: Sequence[Event], traceparent: str | None = None) -> None:
        """Put events into the queue's keeping, as part of a trace if there is one, and count them as accepted.

        Raises:
            QueueFullError: the queue is at its bound; trying again later helps.
            QueueUnavailableError: the queue cannot be reached; trying again later helps.
        """
        self.publisher.publish(events, traceparent)
        self._ledger.record(events)
        self.meter.count(CounterName.ACCEPTED, len(events))

    def poll(self) -> None:
        """Ask for what tokens are checked against by threads from now on, until `close`, so that no request waits.

        For processes that go on between requests. Waits for first answers, see `LastAnswer.poll`.
        """
        _ = self.verifier
        for last_answer in self._last_answers:
            last_answer.poll()
            self._opened.callback(last_answer.close)

    def close(self) -> None:
        """Give back the connections of the parts that were built here."""
        self._opened.close()

    def _until_closed(self, part: _T) -> _T:
        self._opened.callback(part.close)
        return part

    @cached_property
    def _broker_publisher(self) -> BrokerPublisher:
        return self._until_closed(broker(self.settings).publisher(self.settings.queue_url))

    @cached_property
    def _store(self) -> "SqlEventStore":
        from core.stores.sql import SqlEventStore  # noqa: PLC0415 - with its part

        return self._until_closed(SqlEventStore(self.engine))

    def _check_revision(self) -> dict[str, object]:
        from core.stores.migrations.revision import check_revision  # noqa: PLC0415 - the same

        return check_revision(self.engine)


class _Unobserved:
    """Implements `Meter` and `AcceptanceRecorder` where nobody looks."""

    def count(self, what: CounterName, amount: int) -> None:
        """See `Meter.count`."""

    def measure(self, what: HistogramName, values: Iterable[float]) -> None:
        """See `Meter.measure`."""

    def record(self, events: Sequence[Event]) -> None:
        """See `AcceptanceRecorder.record`."""


class _Pipeline(Protocol):
    def __call__(self, settings: Settings) -> Services: ...


_building = Lock()  # two first requests at once must not start two pipelines


def process_services() -> Services:
    """The services of this process, from its environment, built at the first request that needs them.

    A queue inside the process (`memory://`) needs a consumer beside it, which core cannot start: an entry point in the
    group `audit_log.pipelines`, named like the URL's scheme, does, and brings the services that go with it.

    Raises:
        InvalidSettingsError: the environment does not describe a service that can start.
    """
    with _building:
        return _process_services()


@cache
def _process_services() -> Services:
    settings = Settings.from_environ()
    if settings.queue_scheme in SCHEMES:
        return Services(settings)
    for entry_point in entry_points(group=_PIPELINES, name=settings.queue_scheme):
        pipeline: _Pipeline = entry_point.load()
        return pipeline(settings)
    raise unknown_scheme(settings.queue_scheme)
