"""A route: one method on one path, and how /openapi.json describes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from pydantic import BaseModel

from functions.http.handler import Operation
from functions.http.query_string import Parameter


class Place(Enum):
    """Where a server answers a request: each place has threads that no other uses, so that none waits for another."""

    LOOP = "loop"
    """The event loop: it takes microseconds and waits for nothing."""
    ACCEPT = "accept"
    """Takes one event: on the event loop as well, unless that waits for a disk or another host."""
    ACCEPT_BATCH = "accept-batch"
    """Takes a body of megabytes."""
    TOKEN = "token"  # noqa: S105 - the name of a place
    """Gives out a token, for which a client may have to be looked up in the store."""
    READ = "read"
    """Reads events, for up to several seconds."""
    CHECK = "check"
    """Asks each part whether it works."""
    PAGE = "page"
    """Answers from files and memory."""


@dataclass(frozen=True)
class Route:
    """One method on one path. `answers` are the successes and plain failures; `problems` come as problem+json.

    Those that any route has, or any with a token, are not among them: a refused token, a full place, an error of ours.
    """

    method: Literal["GET", "POST"]
    path: str
    place: Place
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
