"""Credentials, and the access tokens obtained with them."""

import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Final

import httpx

_EARLY_SECONDS: Final = 30.0
"""A token is replaced this many seconds before it expires, since it could expire in transit."""


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """Id and secret of a registered client, as `audit-log client create` prints them."""

    client_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    """An access token from elsewhere, such as an identity provider. It is not renewed."""

    text: str = field(repr=False)


Credentials = ClientSecret | Token | None
"""None suits a service that requires no credentials (`AUDIT_LOG_AUTH=open`)."""


class BearerAuth(httpx.Auth):
    """Sends an access token with each request; gets one first, before it expires, and after the service rejected one.

    If the token request fails, its response replaces the response to the original request.
    """

    requires_response_body = True

    def __init__(self, url: str, credentials: Credentials) -> None:
        self._url = url
        self._credentials = credentials
        self._token = credentials.text if isinstance(credentials, Token) else None
        self._valid_until = float("inf") if self._token else 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """See `httpx.Auth`."""
        is_new = time.monotonic() >= self._valid_until
        if is_new and not self._keep((yield self._token_request())):
            return
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        if response.status_code != httpx.codes.UNAUTHORIZED or is_new or isinstance(self._credentials, Token):
            return
        # The signing secret may have changed since the token was issued.
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
        self._valid_until = time.monotonic() + answer["expires_in"] - _EARLY_SECONDS
        return True
