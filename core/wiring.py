"""The composition root: from settings to real parts. The only file of core that names adapters."""

import time
from collections.abc import Mapping
from functools import cache, cached_property
from importlib.metadata import entry_points
from threading import Lock
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from core.errors import InvalidSettingsError
from core.ports import Check, EventPublisher, EventReader, EventWriter
from core.settings import Settings
from core.tokens import Clock, TokenIssuer, TokenVerifier

if TYPE_CHECKING:
    from core.stores.sql import SqlEventStore

_PIPELINES = "audit_log.pipelines"


class Services:
    """The parts that handlers work with, each built at its first use: a function pays only for what it calls.

    Tests and the local runner pass in the parts that they bring themselves.
    """

    def __init__(  # noqa: PLR0913 - one optional argument per part
        self,
        settings: Settings,
        *,
        publisher: EventPublisher | None = None,
        reader: EventReader | None = None,
        writer: EventWriter | None = None,
        checks: Mapping[str, Check] | None = None,
        clock: Clock = time.time,
    ) -> None:
        self.settings = settings
        self.clock = clock
        given = {"publisher": publisher, "reader": reader, "writer": writer, "checks": checks}
        # A cached_property keeps its value here: what is given takes the place of what would be built.
        self.__dict__.update({name: part for name, part in given.items() if part is not None})

    @cached_property
    def publisher(self) -> EventPublisher:
        """Where accepted events go."""
        raise _no_queue(self.settings)

    @cached_property
    def reader(self) -> EventReader:
        """Where events are looked up."""
        return self._store

    @cached_property
    def writer(self) -> EventWriter:
        """Where events are stored."""
        return self._store

    @cached_property
    def checks(self) -> Mapping[str, Check]:
        """What must work for the service to be ready, by name."""
        return {"store": self._store.check}

    @cached_property
    def issuer(self) -> TokenIssuer:
        """Makes access tokens."""
        return TokenIssuer(self.settings, self._jwt_key, self.clock)

    @cached_property
    def verifier(self) -> TokenVerifier:
        """Checks access tokens."""
        return TokenVerifier(self.settings, self._jwt_key, self.clock)

    @cached_property
    def _jwt_key(self) -> str:
        if self.settings.jwt_secret is None:
            raise InvalidSettingsError(
                "AUDIT_LOG_JWT_SECRET is not set: give it at least 32 random bytes, such as `openssl rand -base64 48`"
            )
        return self.settings.jwt_secret.get_secret_value()

    @cached_property
    def _store(self) -> "SqlEventStore":
        from core.stores.engine import open_engine  # noqa: PLC0415 - a handler that stores nothing must not pay for it
        from core.stores.sql import SqlEventStore  # noqa: PLC0415 - the same

        return SqlEventStore(open_engine(self.settings.store_url))


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
    for entry_point in entry_points(group=_PIPELINES, name=urlsplit(settings.queue_url).scheme):
        pipeline: _Pipeline = entry_point.load()
        return pipeline(settings)
    raise _no_queue(settings)


def _no_queue(settings: Settings) -> InvalidSettingsError:
    scheme = urlsplit(settings.queue_url).scheme
    return InvalidSettingsError(
        f"AUDIT_LOG_QUEUE_URL: there is no queue for {scheme}:// here; memory:// needs the local runner installed"
    )
