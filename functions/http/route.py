"""Routes: one method on one path, with all that a server and /openapi.json need to know about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Literal

from pydantic import BaseModel

from functions.http.handler import Operation
from functions.http.query_string import Parameter

BODY_PROBLEMS: Final = (400, 413, 415, 422)
"""Statuses of routes that accept a JSON body."""

_STRING: Final = {"type": "string"}


class Tag(Enum):
    """Group of routes in the API documentation: its title and description."""

    EVENTS = "Events", "Record events and find them."
    TOKENS = "Tokens", "Get the bearer token that other routes require."
    STREAMS = "Streams", "Send events to other systems as they are stored."
    ALERT_RULES = "Alert rules", "Record an alert when events happen, are new or stay away."
    LEDGER = "Ledger", "Prove events to a third party."
    SERVICE = "Service", "Check the service, and read its description."
    PAGES = "Pages", "Pages for the browser, and their files."

    def __init__(self, title: str, description: str) -> None:
        self.title = title
        self.description = description


class Place(Enum):
    """Where a server runs the operation of a route.

    Each place has separate threads, so that no kind of request waits for another. The local runner handles large bodies
    in one more.
    """

    LOOP = "loop"
    """The event loop: takes microseconds and waits for nothing."""
    ACCEPT = "accept"
    """Accepts one event: on the event loop, or in threads if accepting waits for a broker or for Redis."""
    ACCEPT_BATCH = "accept-batch"
    """Accepts a body of up to 5 MiB."""
    TOKEN = "token"  # noqa: S105 - the name of a place
    """Issues a token, which may look up a client in the store."""
    READ = "read"
    """Reads events, for up to several seconds."""
    ERASE = "erase"
    """Erases events, for up to half a minute."""
    STREAM = "stream"
    """Changes streams and alert rules, or previews rules, for up to several seconds."""
    SEND = "send"
    """Sends to the destination of a stream, which somebody else runs and which may hang for half a minute."""
    SIGN_IN = "sign-in"
    """Asks the identity provider, which may hang for several seconds; begun by anyone, without a token."""
    CHECK = "check"
    """Checks each part of the service."""
    PAGE = "page"
    """Answers from files and memory."""


@dataclass(frozen=True)
class Header:
    """A header of a request or a response, as /openapi.json describes it."""

    name: str
    description: str
    schema: Mapping[str, object] = field(default_factory=lambda: _STRING)
    required: bool = True
    """Whether every response has it. A request's header is never required."""


@dataclass(frozen=True)
class Route:
    """One method on one path.

    `problems` lists the statuses of this route that carry problem details. Not listed are those that every route may
    answer, or every route with a token: a refused token, a full place, an internal error.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    tag: Tag
    place: Place
    operation: Operation
    summary: str
    answers: Mapping[int, type[BaseModel] | str]
    """By status: the model of the JSON, or the media types of anything else, separated as in an Accept header; "" for
    no body."""
    problems: tuple[int, ...] = ()
    scope: str | None = None
    """Scope that the bearer token must have; None: no token."""
    credentials: Literal["client"] | None = None
    """`client`: a client authenticates here with its id and secret."""
    parameters: tuple[Parameter[Any], ...] = ()
    path_parameters: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    headers: tuple[Header, ...] = ()
    """Request headers with a meaning for this route."""
    response_headers: Mapping[int, tuple[Header, ...]] = field(default_factory=dict)
    """By status: headers that only this route sends."""
    bodies: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    """By media type: the model of the body; for NDJSON, the model of a line."""
