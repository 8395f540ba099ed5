"""An outside identity provider: a real https server with a JWK set, and tokens that its keys sign."""

import http.server
import json
import ssl
import threading
import time
from pathlib import Path
from typing import Any, Self

import jwt
import trustme
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from core.auth.tokens import Claims
from core.errors import InvalidTokenError, TokenCheckUnavailableError
from core.settings import Settings
from core.wiring import Services
from tests.support.builders import PrivateKey, PublicKey
from tests.support.fakes import FakeClients, FakeClock, FakeQueue

ISSUER = "https://login.example"
AUDIENCE = "audit-log-of-us"


def public_jwk(key: PrivateKey, **members: object) -> dict[str, Any]:
    return {**_jwk(key.public_key()), **members}


def private_jwk(key: PrivateKey, **members: object) -> dict[str, Any]:
    return {**_jwk(key), **members}


def _jwk(key: PrivateKey | PublicKey) -> dict[str, Any]:
    match key:
        case RSAPublicKey() | RSAPrivateKey():
            return RSAAlgorithm.to_jwk(key, as_dict=True)
        case EllipticCurvePublicKey() | EllipticCurvePrivateKey():
            return ECAlgorithm.to_jwk(key, as_dict=True)
        case _:
            return OKPAlgorithm.to_jwk(key, as_dict=True)


class Provider:
    """Counts how often it is asked. What it answers can be set: keys, a body, a status, a redirect, silence, a trickle.

    While `trickles` is set an answer has begun, and comes byte by byte without end.
    """

    def __init__(self) -> None:
        self._authority = trustme.CA()
        self.keys: list[dict[str, Any]] = []
        self.body: bytes | None = None
        self.status = 200
        self.location: str | None = None
        self.raw: bytes | None = None
        self.seconds = 0.0
        self.trickles = threading.Event()
        self.fetches = 0
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.fetches += 1
                time.sleep(provider.seconds)
                if provider.trickles.is_set():
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{")
                while provider.trickles.is_set():
                    self.wfile.write(b" ")
                    time.sleep(0.05)
                if provider.raw is not None:
                    self.wfile.write(provider.raw)
                    return
                body = provider.body if provider.body is not None else json.dumps({"keys": provider.keys}).encode()
                self.send_response(provider.status)
                if provider.location:
                    self.send_header("Location", provider.location)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert("127.0.0.1").configure_cert(context)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}/jwks.json"

    def write_authority(self, path: Path) -> Path:
        """The certificate that vouches for this server's."""
        self._authority.cert_pem.write_to_path(str(path))
        return path

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.trickles.clear()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class House:
    """Our side: real services that trust the provider, on a clock of the test, with clients in a dict."""

    def __init__(self, settings: Settings, provider: Provider) -> None:
        trust = {"trusted_issuer": ISSUER, "trusted_audience": AUDIENCE, "trusted_jwks_url": provider.url}
        self.clock = FakeClock(1_800_000_000)
        self.clients = FakeClients()
        trusting = settings.model_copy(update={**trust, "auth": "clients"})
        self.services = Services(trusting, clients=self.clients, clock=self.clock, publisher=FakeQueue())

    def verify(self, text: str) -> Claims:
        return self.services.verifier.verify(text)

    def accepts(self, text: str) -> bool:
        try:
            self.verify(text)
        except (InvalidTokenError, TokenCheckUnavailableError):
            return False
        return True

    def token(self, key: PrivateKey, kid: str | None = "k1", *, algorithm: str = "EdDSA", **claims: object) -> str:
        """A token of the provider; `name=None` leaves a claim out."""
        now = int(self.clock.now)
        usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 3600, "scope": "events:read"}
        payload = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode(payload, key, algorithm=algorithm, headers={} if kid is None else {"kid": kid})
