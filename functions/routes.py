"""All routes: what the local runner serves, what Chalice deploys and what /openapi.json describes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pydantic import BaseModel

from core.models import Event, NewEvent
from core.queries import Page
from core.summaries import Summary
from core.tokens import READ, WRITE
from functions import (
    create_event,
    create_events,
    docs,
    event_summary,
    export_events,
    get_event,
    health,
    jwks,
    oauth_token,
    query_events,
    token,
    viewer,
)
from functions.endpoint import Operation
from functions.event_filters import FILTERS
from functions.event_lines import MEDIA_TYPES
from functions.media_types import JSON, NDJSON
from functions.query_string import Parameter

BODY_PROBLEMS: Final = (400, 413, 415, 422, 503)


@dataclass(frozen=True)
class Route:
    """One method on one path. `answers` are the successes and plain failures; `problems` come as problem+json."""

    method: Literal["GET", "POST"]
    path: str
    operation: Operation
    summary: str
    answers: Mapping[int, type[BaseModel] | str]
    """By status: the model of the JSON, or the media types of anything else, separated as in an Accept header."""
    problems: tuple[int, ...] = ()
    scope: str | None = None
    """What a bearer token must allow."""
    credentials: Literal["client"] | None = None
    """Whether a client shows its own secret here."""
    parameters: tuple[Parameter[Any], ...] = ()
    path_parameters: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    bodies: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    """By media type; of NDJSON, the model of a line."""


ROUTES: Final = (
    Route(
        "GET", "/access-token", token.issue_token, "Get a token",
        {200: token.Token}, (400, 401, 422, 429, 503), parameters=(token.VALID_MINUTES,), credentials="client",
    ),
    Route(
        "POST", "/oauth2/token", oauth_token.oauth_token, "Get a token by OAuth 2.0 client credentials",
        {200: token.Token, 400: oauth_token.OAuthError, 401: oauth_token.OAuthError}, (413, 415, 429, 503),
        credentials="client", bodies={oauth_token.FORM: oauth_token.TokenRequest},
    ),
    Route("GET", "/.well-known/jwks.json", jwks.jwks, "Public keys of the tokens", {200: jwks.JwkSet}),
    Route(
        "POST", "/event", create_event.create_event, "Accept one event",
        {202: create_event.Queued}, BODY_PROBLEMS, scope=WRITE, bodies={JSON: NewEvent},
    ),
    Route(
        "POST", "/events", create_events.create_events, "Accept up to 1,000 events",
        {202: create_events.BatchResult}, BODY_PROBLEMS, scope=WRITE,
        bodies={JSON: create_events.NewEvents, NDJSON: NewEvent},
    ),
    Route(
        "GET", "/event", query_events.query_events, "Find events",
        {200: Page}, (422, 503), scope=READ, parameters=query_events.PARAMETERS,
    ),
    Route(
        "GET", "/event/summary", event_summary.summarize_events, "Count events over time and by what they are",
        {200: Summary}, (422, 503), scope=READ, parameters=FILTERS,
    ),
    Route(
        "GET", "/event/export", export_events.export_events, "Export events",
        {200: ", ".join(MEDIA_TYPES.values())}, (422, 503), scope=READ, parameters=export_events.PARAMETERS,
    ),
    Route(
        "GET", "/event/{event_id}", get_event.get_event, "Look up one event",
        {200: Event}, (404, 422, 503), scope=READ,
        path_parameters={"event_id": {"type": "string", "format": "uuid"}},
    ),
    Route("GET", "/health", health.health, "Is the process up", {200: health.Health}),
    Route(
        "GET", "/ready", health.ready, "Can the service do its work",
        {200: health.Readiness, 503: health.Readiness},
    ),
    Route("GET", "/openapi.json", docs.openapi, "This description", {200: JSON}),
    Route("GET", "/docs", docs.docs, "This description, to read and try out", {200: "text/html"}),
    Route(
        "GET", "/docs/{file}", docs.docs_file, "A file of that page", {200: "*/*"}, (404,),
        path_parameters={"file": {"type": "string", "enum": list(docs.TYPES)}},
    ),
    Route("GET", "/", viewer.viewer, "The log viewer", {200: "text/html"}),
    Route(
        "GET", "/viewer/{file}", viewer.viewer_file, "A file of that page", {200: "*/*"}, (404,),
        path_parameters={"file": {"type": "string", "enum": list(viewer.TYPES)}},
    ),
)  # fmt: skip
