"""POST /stream/{stream_id}/ACT: acts on a stream."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from pydantic import BaseModel

from core.errors import DeliveryError, StreamStateError
from core.wiring import Services
from functions.http.definitions import actor_of, parse_body
from functions.http.handler import Operation
from functions.http.media_types import JSON
from functions.http.request import Request
from functions.http.response import Response
from functions.http.route import Place
from functions.streams import views
from functions.streams.manage import require_sending


class Act(NamedTuple):
    """One act: the end of its path, and what /openapi.json says of it."""

    name: str
    operation: Operation
    summary: str
    answer: type[BaseModel]
    problems: tuple[int, ...]
    place: Place = Place.STREAM
    bodies: Mapping[str, type[BaseModel]] = {}


def pause_stream(request: Request, services: Services) -> Response:
    """Stop sending. The stream keeps its place."""
    actor, claims = actor_of(request, services)
    stream = services.streams.registry.pause(views.stream_id_of(request), actor)
    return Response.of(200, views.StreamView(**views.view_fields(stream, services, claims)))


def resume_stream(request: Request, services: Services) -> Response:
    """Send again, from the place where the stream was paused or suspended."""
    actor, claims = actor_of(request, services)
    stream = services.streams.registry.resume(views.stream_id_of(request), actor)
    return Response.of(200, views.StreamView(**views.view_fields(stream, services, claims)))


def replay_stream(request: Request, services: Services) -> Response:
    """Move the place of the stream, so that it sends the events from there on, again or for the first time."""
    actor, claims = actor_of(request, services)
    body = parse_body(request, views.Replay, "stream")
    stream_id = views.stream_id_of(request)
    services.streams.registry.get(stream_id, actor)
    stream = services.streams.registry.replay(stream_id, views.place_of(body.after, services, claims), actor)
    return Response.of(200, views.StreamView(**views.view_fields(stream, services, claims)))


def test_stream(request: Request, services: Services) -> Response:
    """Send a made-up event. The answer has no text of the other side."""
    actor, _ = actor_of(request, services)
    stream = services.streams.registry.get(views.stream_id_of(request), actor)
    require_sending(services)
    trial = services.streams.trials.test(stream)
    status = f"{trial.status // 100}xx" if trial.status else None
    return Response.of(200, views.TestResult(delivered=trial.delivered, status=status, reason=trial.reason))


def rotate_stream(request: Request, services: Services) -> Response:
    """Make a new secret that signs requests. The former one signs them as well, until the next rotation."""
    actor, _ = actor_of(request, services)
    made = services.streams.registry.rotate(views.stream_id_of(request), actor)
    return Response.of(200, views.SigningSecret(signing_secret=str(made.signing_secret)))


def resend_stream(request: Request, services: Services) -> Response:
    """Send the refused events again, for up to 20 seconds. Those that are taken are no longer listed as refused."""
    actor, _ = actor_of(request, services)
    stream = services.streams.registry.get(views.stream_id_of(request), actor)
    require_sending(services)
    try:
        result = services.streams.trials.resend(stream)
    except DeliveryError as exc:
        raise StreamStateError(f"The destination cannot be used at the moment. {exc}") from None
    return Response.of(200, views.ResendResult(**result._asdict()))


ACTS: Final = (
    Act("pause", pause_stream, "Stop sending", views.StreamView, (409, 422)),
    Act("resume", resume_stream, "Send again", views.StreamView, (422,)),
    Act(
        "replay", replay_stream, "Continue from another place", views.StreamView, (413, 415, 422),
        bodies={JSON: views.Replay},
    ),
    Act("test", test_stream, "Send a made-up event", views.TestResult, (409, 422), Place.SEND),
    Act("rotate", rotate_stream, "Make a new signing secret", views.SigningSecret, (409, 422)),
    Act("resend", resend_stream, "Send the refused events again", views.ResendResult, (409, 422), Place.SEND),
)  # fmt: skip
