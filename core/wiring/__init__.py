"""The composition root: from settings to parts. With `core.queues.brokers` the only module that names adapters."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar, Unpack

from core.errors import ProofNotFoundError
from core.ports.clients import ClientReader
from core.ports.queue import DeadLetterQueue, EventPublisher, NoGroup, QueueMonitor
from core.ports.store import EventReader, EventSummaries, EventWriter
from core.ports.telemetry import AcceptanceRecorder, Check, Instrumentation, Meter, NoTelemetry
from core.queues.acceptance import Acceptance
from core.queues.brokers import BrokerPublisher, Closable, broker
from core.settings import Settings
from core.stores.database import Database
from core.stores.opening import database_for
from core.wiring.parts import Parts

if TYPE_CHECKING:
    from core.auth.client_registry import ClientRegistry
    from core.auth.clients import Authenticator
    from core.auth.keys import KeyRing
    from core.auth.last_answer import LastAnswer
    from core.auth.rate_limits import RateLimiter
    from core.auth.remote_keys import TrustedKeys
    from core.auth.sign_in import SignIn
    from core.auth.token_verifier import TokenVerifier
    from core.auth.tokens import TokenIssuer
    from core.domain.catalogue.catalogue import Catalogue
    from core.domain.clock import Clock
    from core.ports.feed import FeedReader
    from core.ports.ledger import LedgerProofs
    from core.wiring.alert_rules import AlertRuleServices
    from core.wiring.streams import StreamServices

__all__: Final = ["Parts", "Services"]

_T = TypeVar("_T", bound=Closable)


class Services:
    """The parts that handlers use, each built and imported at its first use: a function pays for what it calls.

    The cost of each library is in docs/explanation/performance.md.
    """

    def __init__(  # noqa: PLR0913 - one argument per part that every process may replace
        self,
        settings: Settings,
        *,
        database: Database | None = None,
        meter: Meter | None = None,
        recorder: AcceptanceRecorder | None = None,
        instrumentation: Instrumentation | None = None,
        clock: "Clock" = time.time,
        **parts: Unpack[Parts],
    ) -> None:
        """`close` closes `database` as well; the other parts passed in belong to the caller."""
        self.settings = settings
        self.clock = clock
        self.database = database or database_for(settings)
        self.meter: Meter = meter or NoTelemetry()
        self._recorder: AcceptanceRecorder = recorder or NoTelemetry()
        self._instrumentation: Instrumentation = instrumentation or NoTelemetry()
        self._parts = parts
        self._opened = ExitStack()
        self._opened.callback(self.database.close)
        self._last_answers: list[LastAnswer[Any]] = []

    @cached_property
    def publisher(self) -> EventPublisher:
        """Publishes accepted events to the queue."""
        publisher = self._parts.get("publisher") or self._broker_publisher
        return self._instrumentation.publisher(publisher)

    @cached_property
    def dead_letters(self) -> DeadLetterQueue:
        """Lists and redrives dead letters."""
        return self._parts.get("dead_letters") or self._until_closed(
            broker(self.settings).dead_letters(self.settings.queue_url)
        )

    @cached_property
    def reader(self) -> EventReader:
        """Looks up events."""
        return self._parts.get("reader") or self.database.events

    @cached_property
    def summaries(self) -> EventSummaries:
        """Summarizes events."""
        return self._parts.get("summaries") or self.database.summaries

    @cached_property
    def proofs(self) -> "LedgerProofs":
        """Makes proofs of events.

        Raises:
            ProofNotFoundError: this service has no ledger.
        """
        if not self.settings.has_ledger:
            raise ProofNotFoundError(
                "This service has no ledger (AUDIT_LOG_LEDGER=off), so that events have no proofs."
            )
        return self._parts.get("proofs") or self.database.proofs

    @cached_property
    def feed(self) -> "FeedReader":
        """Reads events in the order in which they were stored."""
        return self._parts.get("feed") or self.database.feed

    @cached_property
    def writer(self) -> EventWriter:
        """Stores events."""
        writer = self._parts.get("writer") or self.database.events
        return self._instrumentation.writer(writer)

    @cached_property
    def queue_statistics(self) -> QueueMonitor:
        """Reads the figures of the queue."""
        return self._parts.get("queue_statistics") or self._broker_publisher.statistics

    @cached_property
    def checks(self) -> Mapping[str, Check]:
        """Readiness checks by name."""
        if "checks" in self._parts:
            return self._parts["checks"]
        checks: dict[str, Check] = {
            "queue": lambda: self.queue_statistics().facts(),
            "store": self.database.events.check,
            **({"ledger": self.database.ledger.check} if self.database.keeps_ledger else {}),
            "migrations": self.database.check_revision,
        }
        if "consumer_check" in self._parts:
            checks["consumer"] = self._parts["consumer_check"]
        return {**checks, **self._parts.get("ledger_checks", {})}

    @cached_property
    def clients(self) -> ClientReader:
        """Looks up API clients."""
        return self._parts.get("clients") or self.database.clients

    @cached_property
    def client_registry(self) -> "ClientRegistry":
        """Registers and changes API clients."""
        from core.auth.client_registry import ClientRegistry  # noqa: PLC0415 - at first use

        return ClientRegistry(self.database.clients, self.clock)

    @cached_property
    def authenticator(self) -> "Authenticator":
        """Authenticates API clients by their secrets."""
        from core.auth.clients import Authenticator  # noqa: PLC0415 - at first use

        return Authenticator(self.clients)

    @cached_property
    def keys(self) -> "KeyRing":
        """Signing keys of this service's tokens.

        Raises:
            InvalidSettingsError: no usable key is configured.
        """
        from core.auth.keys import key_ring  # noqa: PLC0415 - at first use

        return key_ring(self.settings)

    @cached_property
    def issuer(self) -> "TokenIssuer":
        """Issues access tokens."""
        from core.auth.tokens import TokenIssuer  # noqa: PLC0415 - at first use

        return TokenIssuer(self.settings, self.keys.signing, self.clock)

    @cached_property
    def verifier(self) -> "TokenVerifier":
        """Verifies access tokens, those of the trusted issuer included."""
        from core.auth.token_verifier import TokenVerifier, TrustedIssuer  # noqa: PLC0415 - at first use

        settings = self.settings
        issuers = [TrustedIssuer(settings.jwt_issuer, settings.jwt_audience, self.keys)]
        if settings.trusted_issuer and settings.trusted_audience:
            keys = self._trusted_keys
            issuers.append(TrustedIssuer(settings.trusted_issuer, settings.trusted_audience, keys, foreign=True))
        if settings.auth == "open":
            return TokenVerifier(issuers, settings.token_max_minutes, self.clock)
        from core.auth.clients import LIST_SECONDS, polled_revocations  # noqa: PLC0415 - at first use

        if listed := self._parts.get("revocations"):
            revocations = polled_revocations(listed, self.clock, every=LIST_SECONDS)
        else:
            revocations = polled_revocations(self.clients, self.clock)
        self._last_answers.append(revocations)
        return TokenVerifier(
            issuers,
            settings.token_max_minutes,
            self.clock,
            lambda client_id: revocations.latest().get(client_id, 0),
        )

    @cached_property
    def _trusted_keys(self) -> "TrustedKeys":
        from core.auth.remote_keys import TrustedKeys, provider_keys  # noqa: PLC0415 - at first use, and few need it

        keys = provider_keys(str(self.settings.trusted_jwks_url), self.clock)
        self._last_answers.append(keys)
        return TrustedKeys(keys)

    @cached_property
    def sign_in(self) -> "SignIn | None":
        """Signs people in; None unless `AUDIT_LOG_SIGN_IN_CLIENT_ID` is set. Raises InvalidSettingsError."""
        if self.settings.sign_in_client_id is None:
            return None
        from core.auth.sign_in import build_sign_in  # noqa: PLC0415 - at first use, and few need it

        return build_sign_in(self.settings, self._trusted_keys, self.clock)

    @cached_property
    def limiter(self) -> "RateLimiter":
        """Limits the rates of requests and of failed logins."""
        from core.auth.rate_limits import RateLimiter  # noqa: PLC0415 - at first use

        return RateLimiter(self.settings)

    @cached_property
    def streams(self) -> "StreamServices":
        """Registers and sends streams."""
        from core.wiring.streams import StreamServices  # noqa: PLC0415 - at first use

        key = self._parts.get("secrets_key") or (lambda: self.settings.secrets_key)
        return StreamServices(self.settings, self.database, self.feed, self.meter, self.clock, secrets_key=key)

    @cached_property
    def alert_rules(self) -> "AlertRuleServices":
        """Registers, previews and evaluates alert rules."""
        from core.wiring.alert_rules import AlertRuleServices  # noqa: PLC0415 - at first use

        return AlertRuleServices(self.database, self.feed, self.clock)

    @cached_property
    def catalogue(self) -> "Catalogue | None":
        """Event types with their schemas, or None without `AUDIT_LOG_CATALOGUE`. Raises InvalidSettingsError."""
        if self.settings.catalogue is None:
            return None
        from core.stores.catalogue_folder import load_catalogue  # noqa: PLC0415 - at first use

        return load_catalogue(self.settings.catalogue, strict=self.settings.catalogue_strict == "on")

    @cached_property
    def acceptance(self) -> Acceptance:
        """Publishes events and counts them as accepted."""
        group = self._parts.get("commit_group") or NoGroup()
        return Acceptance(lambda: self.publisher, self._recorder, self.meter, group)

    def poll(self) -> None:
        """Start the threads that keep revocations and remote keys up to date, so that no request waits for them.

        For processes that run between requests; `close` ends them. Waits for the first answers, see `LastAnswer.poll`.
        """
        _ = self.verifier
        for last_answer in self._last_answers:
            last_answer.poll()
            self._opened.callback(last_answer.close)

    def require_usable(self) -> None:
        """Build the parts that settings can get wrong, so that a mistake stops the start and not the first request.

        Raises:
            InvalidSettingsError: keys, catalogue, broker or rate-limit storage cannot be used as configured.
        """
        _ = self.keys, self.catalogue, self.sign_in
        if "publisher" not in self._parts:
            _ = self._broker_publisher
        if self.settings.rate_limit_storage != "memory://":
            self.limiter.check_storage()

    def close(self) -> None:
        """Close the connections of all parts built here, and of the database."""
        self._opened.close()

    def _until_closed(self, part: _T) -> _T:
        self._opened.callback(part.close)
        return part

    @cached_property
    def _broker_publisher(self) -> BrokerPublisher:
        return self._until_closed(broker(self.settings).publisher(self.settings.queue_url))
