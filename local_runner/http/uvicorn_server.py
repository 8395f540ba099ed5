"""Configuration of uvicorn: it owns sockets, TLS, signals and worker processes, `HTTPProtocol` the requests."""

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from uvicorn import Config

from core.errors import InvalidSettingsError
from local_runner.http.connection_limits import max_connections
from local_runner.http.deadlines import STOP_SECONDS
from local_runner.http.dispatcher import Dispatcher
from local_runner.http.protocol import HTTPProtocol
from local_runner.http.tls import BoundedContext

FINISH_SECONDS: Final = round(STOP_SECONDS) + 1
"""Time limit of a stop for requests in progress: only clients that hang need it."""

_WORKER_HEALTHCHECK_SECONDS: Final = 20
"""Silence after which a worker process counts as hung and is replaced.

A worker is silent while it starts. On a busy machine that takes longer than uvicorn's default of five seconds, which
would kill it again and again. A worker that dies while uvicorn asks it is replaced after this time, others at once."""


@dataclass(frozen=True)
class Tls:
    """The PEM files of a certificate chain and of its private key."""

    certfile: Path
    keyfile: Path

    def require_usable(self) -> None:
        """Check that the files can be used.

        Raises:
            InvalidSettingsError: they cannot be read, or are no pair of certificate and unencrypted key.
        """
        for option, file in (("--certfile", self.certfile), ("--keyfile", self.keyfile)):
            try:
                file.read_bytes()
            except OSError as exc:
                raise InvalidSettingsError(f"{option} {file} cannot be read: {exc.strerror}") from None
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certfile, self.keyfile, password=lambda: b"")
        except (OSError, ValueError):
            reason = "they are no pair of certificate and unencrypted key in PEM form"
            raise InvalidSettingsError(f"--certfile and --keyfile cannot be used: {reason}") from None


def uvicorn_config(
    application: Dispatcher | Callable[[], Dispatcher],
    tls: Tls | None = None,
    *,
    workers: int = 1,
    reload_dirs: Sequence[Path] = (),
) -> Config:
    """Build uvicorn's configuration. Worker processes and reloaded ones each call the factory `application`."""
    config = Config(
        application,
        factory=not isinstance(application, Dispatcher),
        interface="asgi3",
        http=HTTPProtocol,
        ws="none",
        loop="local_runner.http.tls:Loop" if tls else "uvloop",
        lifespan="on",
        workers=workers,
        log_config=None,  # records go to our handler, in our format
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        headers=[("Server", "audit-log")],
        timeout_graceful_shutdown=FINISH_SECONDS,
        timeout_worker_healthcheck=_WORKER_HEALTHCHECK_SECONDS,
        ssl_context_factory=partial(_tls_context, tls) if tls else None,
    )
    config.reload_dirs = list(reload_dirs)  # the parameter of this name wants an application by import string
    return config


def _tls_context(tls: Tls, _config: Config, _default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    context = BoundedContext(ssl.PROTOCOL_TLS_SERVER, limit=2 * max_connections(tls=True))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(tls.certfile, tls.keyfile)
    return context
