"""Composition of streams: from settings to the parts that register and send them."""

from collections.abc import Callable
from functools import cache, cached_property
from typing import Any, Final

from pydantic import SecretStr

from core.auth.sealed_cursor import CursorSeal
from core.auth.sealing import secret_seal
from core.domain.clock import Clock
from core.domain.filter_values import integer, moment
from core.domain.streams import Stream
from core.domain.strict_json import MAX_INTEGER
from core.errors import DeliveryDelayedError, InvalidSettingsError, SecretUnavailableError
from core.ports.feed import FeedReader
from core.ports.streams import SecretSeal
from core.ports.telemetry import Meter
from core.settings import Settings
from core.stores.database import Database
from core.streams.delivery import Sender
from core.streams.dispatcher import Dispatcher
from core.streams.egress import Egress
from core.streams.formats import FORMATTERS
from core.streams.kinds import open_kind
from core.streams.masking import masked
from core.streams.outlets import Outlet
from core.streams.proxy import Proxy
from core.streams.registry import MASK_KEY, StreamRegistry
from core.streams.status import StreamStatus
from core.streams.trial import StreamTrials

NOW: Final = "now"
OLDEST: Final = "oldest"
_UNNAMED: Final = "audit-log"
"""Name of a log without a ledger."""
_PLACE_RULE: Final = "is no place: send now, oldest, a time such as 2026-01-31T12:00:00Z, or a cursor of the feed"


class StreamServices:
    """The parts of streams, each built at its first use."""

    def __init__(  # noqa: PLR0913 - the parts of the service that streams need
        self,
        settings: Settings,
        database: Database,
        feed: FeedReader,
        meter: Meter,
        clock: Clock,
        *,
        secrets_key: Callable[[], SecretStr | None],
    ) -> None:
        """`secrets_key` returns the present keys of secrets, see `Parts.secrets_key`."""
        self._settings = settings
        self._secrets_key = secrets_key
        self._database = database
        self._feed = feed
        self._meter = meter
        self._clock = clock

    @cached_property
    def registry(self) -> StreamRegistry:
        """Registers and changes streams."""
        return StreamRegistry(self._database.streams, self._seal, self._egress, self._clock)

    @cached_property
    def status(self) -> StreamStatus:
        """Shows how far streams have come."""
        return StreamStatus(self._database.streams, self._feed, self._clock)

    @cached_property
    def trials(self) -> StreamTrials:
        """Sends test events, and refused events again."""
        return StreamTrials(self._database.streams, self._feed, self.open_outlet, self._clock)

    @cached_property
    def sender(self) -> Sender:
        """The parts that all deliveries of this process share."""
        return Sender(self._feed, self._database.stream_leases, self.open_outlet, self._meter, self._clock)

    def dispatcher(self) -> Dispatcher:
        """Build the dispatcher of a process that sends streams."""
        return Dispatcher(self.sender)

    def open_outlet(self, stream: Stream) -> Outlet:
        """Open the destination of a stream, and prepare masking and format.

        Raises:
            MisconfiguredError: the destination cannot be used with these settings.
            DeliveryDelayedError: the secrets cannot be decrypted with the keys of this process.
        """
        secrets = self._secrets(stream)
        key = bytes.fromhex(secrets.pop(MASK_KEY, ""))
        dropped, hashed, formatter = stream.dropped_paths, stream.hashed_paths, FORMATTERS[stream.format]
        source = cache(self._source)
        return Outlet(
            open_kind(stream, secrets, self._egress),
            lambda event: masked(event, dropped, hashed, key),
            lambda event: formatter(event, source()),
        )

    def place(self, after: str, *, with_indices: bool) -> int:
        """Return the index that a text means: `now`, `oldest`, a cursor, an RFC 3339 time of reception or an index.

        An index and a cursor mean what follows; an index is only accepted `with_indices`.

        Raises:
            ValueError: the text means nothing, or a place beyond the end; with the remedy.
            StoreUnavailableError: trying again later helps.
        """
        end = self._feed.size()
        if after == NOW:
            return end
        if after == OLDEST:
            return 0
        if after.isdecimal():
            if not with_indices:
                raise ValueError("must be a cursor, a time or oldest: this token does not see indices")
            position = integer(after, low=0, high=MAX_INTEGER) + 1
        elif after[:4].isdecimal() and after[4:5] == "-":
            return self._feed.position_at(moment(after, "gte"))
        else:
            position = self._cursor_place(after)
        if position > end:
            raise ValueError("is beyond the end of the log: use now for events that are stored from now on")
        return position

    def _cursor_place(self, after: str) -> int:
        try:
            return CursorSeal(self._feed.cursor_key()).open(after)
        except ValueError:
            raise ValueError(_PLACE_RULE) from None

    def cursor(self, position: int) -> str:
        """Return the cursor of a position."""
        return CursorSeal(self._feed.cursor_key()).seal(position)

    def _source(self) -> str:
        """The name of the log. The database has it: few processes know `AUDIT_LOG_LEDGER_ORIGIN`, and it may be random.

        Raises:
            StoreUnavailableError: trying again later helps.
        """
        from core.stores.ledger.identity import stored_origin  # noqa: PLC0415 - at the first event that is sent

        return stored_origin(self._database.engine) or self._settings.ledger_origin or _UNNAMED

    def _seal(self) -> SecretSeal | None:
        return secret_seal(self._secrets_key())

    @cached_property
    def _egress(self) -> Egress:
        url = self._settings.streams_proxy
        return Egress(self._settings.streams_allow, proxy=Proxy.parse(url.get_secret_value()) if url else None)

    def _secrets(self, stream: Stream) -> dict[str, Any]:
        if stream.sealed is None:
            return {}
        try:
            seal = self._seal()
            if seal is not None:
                return seal.open(stream.stream_id, stream.sealed)
        except (SecretUnavailableError, InvalidSettingsError) as exc:
            raise DeliveryDelayedError(str(exc)) from None
        raise DeliveryDelayedError("The process that sends has no AUDIT_LOG_SECRETS_KEY to decrypt the secrets.")
