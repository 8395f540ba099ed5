"""The ceiling: a WSGI app that does nothing, so that its rate shows what the load generator itself can reach.

It answers every route at once from constants and stores nothing. Start it with
`granian --interface wsgi --blocking-threads 1 empty_app:app` in this folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

_JSON = ("Content-Type", "application/json")
_TOKEN = b'{"token":"empty","access_token":"empty","token_type":"Bearer","expires_in":3600}'
_QUEUED = b'{"event_id":"00000000-0000-7000-8000-000000000000","status":"queued"}'


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a token to /access-token and 202 to everything else."""
    if environ["PATH_INFO"] == "/access-token":
        start_response("200 OK", [_JSON, ("Content-Length", str(len(_TOKEN)))])
        return [_TOKEN]
    start_response("202 Accepted", [_JSON, ("Content-Length", str(len(_QUEUED)))])
    return [_QUEUED]
