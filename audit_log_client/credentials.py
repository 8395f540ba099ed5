"""Who the client is, and the tokens it gets for that."""

import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Final

import httpx

_EARLY_SECONDS: Final = 30.0
"""A token is not used in the last seconds of its life: on its way it could expire."""


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A registered client, as `audit-log client create` prints it."""

    client_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    """A token that somebody else got, such as an identity provider's."""

    text: str = field(repr=False)


Credentials = ClientSecret | Token | None
"""None is for a service that asks for nothing (`AUDIT_LOG_AUTH=open`)."""


class BearerAuth(httpx.Auth):
    """Sends a token along, getting one before the first request, before it expires, and where one counts no more.

    If no token is given, the answer that says so takes the place of the answer to the request.
    """

    requires_response_body = True

    def __init__(self, url: str, credentials: Credentials) -> None:
        self._url = url
        self._credentials = credentials
        self._token = credentials.text if isinstance(credentials, Token) else None
        self._good_until = float("inf") if self._token else 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """See `httpx.Auth`."""
        fresh = time.monotonic() >= self._good_until
        if fresh and not self._keep((yield self._token_request())):
            return
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        if response.status_code != httpx.codes.UNAUTHORIZED or fresh or isinstance(self._credentials, Token):
            return
        # The service may sign with another secret since, or the token was made before a restart.
        if self._keep((yield self._token_request())):
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    def _token_request(self) -> httpx.Request:
        if not isinstance(self._credentials, ClientSecret):
            return httpx.Request("GET", f"{self._url}/access-token")
        basic = httpx.BasicAuth(self._credentials.client_id, self._credentials.secret)
        request = httpx.Request("POST", f"{self._url}/oauth2/token", data={"grant_type": "client_credentials"})
        return next(basic.auth_flow(request))

    def _keep(self, response: httpx.Response) -> bool:
        if not response.is_success:
            return False
        answer = response.json()
        self._token = answer["access_token"]
        self._good_until = time.monotonic() + answer["expires_in"] - _EARLY_SECONDS
        return True
