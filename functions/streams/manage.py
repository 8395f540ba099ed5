"""/stream and /stream/{stream_id}: list, create, look up, replace and delete streams."""

from core.errors import StreamStateError
from core.wiring import Services
from functions.http.definitions import actor_of, etag, parse_body, require_version
from functions.http.request import Request
from functions.http.response import Response
from functions.streams import views


def list_streams(request: Request, services: Services) -> Response:
    """List the streams that the token may see. A token that is limited to customers sees those of its customers."""
    actor, claims = actor_of(request, services)
    found = services.streams.registry.streams(actor)
    shown = [views.StreamView(**views.view_fields(stream, services, claims)) for stream in found]
    return Response.of(200, views.StreamList(streams=shown))


def create_stream(request: Request, services: Services) -> Response:
    """Create a stream. A token that is limited to customers creates one that is limited to these."""
    actor, claims = actor_of(request, services)
    body = parse_body(request, views.NewStream, "stream")
    place = views.place_of(body.after, services, claims)
    made = services.streams.registry.create(views.definition_of(body), body.secrets, place, actor)
    fields = views.view_fields(made.stream, services, claims)
    location = f"{request.url_prefix}/stream/{made.stream.stream_id}"
    headers = {"Location": location, "ETag": etag(made.stream.version)}
    return Response.of(201, views.CreatedStream(**fields, signing_secret=made.signing_secret), headers)


def get_stream(request: Request, services: Services) -> Response:
    """Look up a stream. One that the token may not see is a 404 like one that does not exist."""
    actor, claims = actor_of(request, services)
    stream = services.streams.registry.get(views.stream_id_of(request), actor)
    fields = views.view_fields(stream, services, claims)
    return Response.of(200, views.StreamView(**fields), {"ETag": etag(stream.version)})


def replace_stream(request: Request, services: Services) -> Response:
    """Replace the definition of a stream; its place stays. The batch in hand is sent as before."""
    actor, claims = actor_of(request, services)
    body = parse_body(request, views.ChangedStream, "stream")
    stream = services.streams.registry.get(views.stream_id_of(request), actor)
    require_version(request, stream.version, "stream")
    changed = services.streams.registry.replace(stream, views.definition_of(body), body.secrets, actor)
    fields = views.view_fields(changed, services, claims)
    return Response.of(200, views.StreamView(**fields), {"ETag": etag(changed.version)})


def delete_stream(request: Request, services: Services) -> Response:
    """Delete a stream, its place and its secrets."""
    actor, _ = actor_of(request, services)
    stream_id = views.stream_id_of(request)
    services.streams.registry.delete(stream_id, actor)
    return Response.of(200, views.DeletedStream(stream_id=stream_id))


def require_sending(services: Services) -> None:
    """Check that this process may send.

    Raises:
        StreamStateError: the settings keep it out of it.
    """
    if services.settings.streams == "off":
        raise StreamStateError("This process sends no streams (AUDIT_LOG_STREAMS=off): use `audit-log stream test`.")
