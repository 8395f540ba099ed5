"""Table of all routes, used by the local runner, by Chalice and by /openapi.json."""

from typing import Final

from core.auth.tokens import ERASE, MANAGE_STREAMS, READ, WRITE
from core.domain.models import NewEvent
from core.domain.queries import Page
from core.domain.summaries import Summary
from functions import (
    catalogue,
    create_event,
    create_events,
    event_feed,
    event_summary,
    export_events,
    get_event,
    health,
    jwks,
    oauth_token,
    query_events,
    token,
)
from functions.alerts.routes import ALERT_RULE_ROUTES
from functions.http.export_formats import MEDIA_TYPES
from functions.http.media_types import JSON, NDJSON
from functions.http.request_body import IDEMPOTENCY_KEY
from functions.http.route import BODY_PROBLEMS, Header, Place, Route, Tag
from functions.operations import erase_events
from functions.pages import docs, embed, viewer
from functions.proofs import event_proof, ledger
from functions.sign_in import session
from functions.streams import acts, manage, views

PROOF_RETRY: Final = Header(
    "Retry-After", "Seconds until the next checkpoint may cover it.", {"type": "integer"}, required=False
)

LOCATION: Final = Header("Location", "Where the browser goes next.")
COOKIE: Final = Header("Set-Cookie", "HttpOnly and SameSite.")

ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "GET", "/access-token", Tag.TOKENS, Place.TOKEN, token.issue_token, "Get a token",
        {200: token.Token}, (400, 401, 422, 429), parameters=(token.VALID_MINUTES,), credentials="client",
    ),
    Route(
        "POST", "/oauth2/token", Tag.TOKENS, Place.TOKEN, oauth_token.oauth_token,
        "Get a token by OAuth 2.0 client credentials",
        {200: token.Token, 400: oauth_token.OAuthError, 401: oauth_token.OAuthError}, (413, 415, 429),
        credentials="client", bodies={oauth_token.FORM: oauth_token.TokenRequest},
    ),
    Route(
        "GET", "/.well-known/jwks.json", Tag.TOKENS, Place.PAGE, jwks.jwks, "Get the public keys of tokens",
        {200: jwks.JwkSet},
    ),
    Route(
        "GET", "/session/sign-in", Tag.TOKENS, Place.SIGN_IN, session.begin_sign_in, "Sign in at the identity provider",
        {303: "", 503: "text/html"}, (404,), response_headers={303: (LOCATION, COOKIE)},
    ),
    Route(
        "GET", "/session/callback", Tag.TOKENS, Place.SIGN_IN, session.finish_sign_in,
        "Return from the identity provider", {303: "", 403: "text/html", 503: "text/html"}, (404,),
        response_headers={303: (LOCATION, COOKIE), 403: (COOKIE,)},
    ),
    Route(
        "POST", "/session/token", Tag.TOKENS, Place.TOKEN, session.session_token, "Get a token for the own session",
        {200: token.Token}, (401, 403, 404),
    ),
    Route(
        "POST", "/session/sign-out", Tag.TOKENS, Place.SIGN_IN, session.sign_out, "Sign out",
        {200: session.SignedOut}, (401, 403, 404, 422), parameters=(session.EVERYWHERE,),
        response_headers={200: (COOKIE,)},
    ),
    Route(
        "POST", "/event", Tag.EVENTS, Place.ACCEPT, create_event.create_event, "Accept one event",
        {202: create_event.Queued}, BODY_PROBLEMS, scope=WRITE, bodies={JSON: NewEvent}, headers=(IDEMPOTENCY_KEY,),
        response_headers={202: (create_event.LOCATION,)},
    ),
    Route(
        "POST", "/events", Tag.EVENTS, Place.ACCEPT_BATCH, create_events.create_events, "Accept up to 1,000 events",
        {202: create_events.BatchResult}, BODY_PROBLEMS, scope=WRITE,
        bodies={JSON: create_events.NewEvents, NDJSON: NewEvent}, headers=(IDEMPOTENCY_KEY,),
    ),
    Route(
        "GET", "/event", Tag.EVENTS, Place.READ, query_events.query_events, "Find events",
        {200: Page}, (422,), scope=READ, parameters=query_events.PARAMETERS,
    ),
    Route(
        "GET", "/event/summary", Tag.EVENTS, Place.READ, event_summary.summarize_events,
        "Count events over time, by type and by customer", {200: Summary}, (422,), scope=READ,
        parameters=event_summary.PARAMETERS,
    ),
    Route(
        "GET", "/event/export", Tag.EVENTS, Place.READ, export_events.export_events, "Export events",
        {200: ", ".join(MEDIA_TYPES.values())}, (422,), scope=READ, parameters=export_events.PARAMETERS,
        response_headers={200: (export_events.NEXT_PART,)},
    ),
    Route(
        "GET", "/event/feed", Tag.EVENTS, Place.READ, event_feed.event_feed,
        "Get events in the order in which they were stored", {200: event_feed.Feed}, (409, 422, 501), scope=READ,
        parameters=event_feed.PARAMETERS, response_headers={200: (event_feed.NEXT_PAGE,)},
    ),
    Route(
        "GET", "/event/{event_id}", Tag.EVENTS, Place.READ, get_event.get_event, "Look up one event",
        {200: get_event.FoundEvent}, (404, 422), scope=READ,
        path_parameters={"event_id": {"type": "string", "format": "uuid"}},
    ),
    Route(
        "GET", "/catalogue", Tag.EVENTS, Place.PAGE, catalogue.catalogue, "Get the described event types",
        {200: catalogue.CatalogueResponse, 304: ""}, (422,), scope=READ, headers=(catalogue.IF_NONE_MATCH,),
        response_headers={200: (catalogue.ETAG,), 304: (catalogue.ETAG,)},
    ),
    Route(
        "POST", "/erasure", Tag.EVENTS, Place.ERASE, erase_events.erase_events, "Erase events",
        {200: erase_events.Erasure, 202: erase_events.Erasure}, (*BODY_PROBLEMS, 409, 501), scope=ERASE,
        bodies={JSON: erase_events.NewErasure},
    ),
    Route(
        "GET", "/event/{event_id}/proof", Tag.LEDGER, Place.READ, event_proof.event_proof, "Get the proof of an event",
        {200: "text/plain"}, (404, 410, 422), scope=READ, parameters=(event_proof.TREE_SIZE,),
        path_parameters={"event_id": {"type": "string", "format": "uuid"}}, response_headers={404: (PROOF_RETRY,)},
    ),
    Route(
        "GET", "/event/{event_id}/proof/data", Tag.LEDGER, Place.READ, event_proof.event_proof_data,
        "Get the data document of an event", {200: "text/plain"}, (404, 410, 422), scope=READ,
        path_parameters={"event_id": {"type": "string", "format": "uuid"}},
    ),
    Route(
        "GET", "/ledger/checkpoint", Tag.LEDGER, Place.READ, ledger.ledger_checkpoint, "Get the newest checkpoint",
        {200: "text/plain"}, (404, 422), scope=READ, parameters=(ledger.COSIGNED,),
        response_headers={404: (PROOF_RETRY,)},
    ),
    Route(
        "GET", "/ledger/consistency", Tag.LEDGER, Place.READ, ledger.ledger_consistency,
        "Get the proof that an older checkpoint is the beginning of the newest",
        {200: "text/plain"}, (404, 422), scope=READ, parameters=(ledger.OLD,), response_headers={404: (PROOF_RETRY,)},
    ),
    Route(
        "GET", "/ledger/policy", Tag.LEDGER, Place.READ, ledger.ledger_policy, "Get the public keys of the ledger",
        {200: "text/plain"}, (404, 422), response_headers={404: (PROOF_RETRY,)},
    ),
    *(
        Route(
            "GET", "/".join(["/ledger/tile/{level}", *(f"{{{name}}}" for name in names)]), Tag.LEDGER, Place.READ,
            ledger.tile_operation(names), f"Get a tile or a bundle of entries, with {len(names)} parts after the level",
            {200: "application/octet-stream"}, (404, 422), scope=READ,
            path_parameters={name: {"type": "string"} for name in ("level", *names)},
        )
        for names in ledger.TILE_PARAMETERS
    ),
    Route(
        "GET", "/stream", Tag.STREAMS, Place.STREAM, manage.list_streams, "List streams",
        {200: views.StreamList}, (422,), scope=MANAGE_STREAMS,
    ),
    Route(
        "POST", "/stream", Tag.STREAMS, Place.STREAM, manage.create_stream, "Create a stream",
        {201: views.CreatedStream}, (409, *BODY_PROBLEMS), scope=MANAGE_STREAMS, bodies={JSON: views.NewStream},
        response_headers={201: (views.ETAG, views.LOCATION)},
    ),
    Route(
        "GET", "/stream/{stream_id}", Tag.STREAMS, Place.STREAM, manage.get_stream, "Look up a stream",
        {200: views.StreamView}, (404, 422), scope=MANAGE_STREAMS, path_parameters=views.STREAM_ID,
        response_headers={200: (views.ETAG,)},
    ),
    Route(
        "PUT", "/stream/{stream_id}", Tag.STREAMS, Place.STREAM, manage.replace_stream, "Replace a stream's definition",
        {200: views.StreamView}, (404, 409, 412, 428, *BODY_PROBLEMS), scope=MANAGE_STREAMS,
        path_parameters=views.STREAM_ID, headers=(views.IF_MATCH,), bodies={JSON: views.ChangedStream},
        response_headers={200: (views.ETAG,)},
    ),
    Route(
        "DELETE", "/stream/{stream_id}", Tag.STREAMS, Place.STREAM, manage.delete_stream, "Delete a stream",
        {200: views.DeletedStream}, (404, 422), scope=MANAGE_STREAMS, path_parameters=views.STREAM_ID,
    ),
    *(
        Route(
            "POST", f"/stream/{{stream_id}}/{act.name}", Tag.STREAMS, act.place, act.operation, act.summary,
            {200: act.answer}, (404, *act.problems), scope=MANAGE_STREAMS, path_parameters=views.STREAM_ID,
            bodies=act.bodies,
        )
        for act in acts.ACTS
    ),
    *ALERT_RULE_ROUTES,
    Route("GET", "/health", Tag.SERVICE, Place.LOOP, health.health, "Check liveness", {200: health.Health}),
    Route(
        "GET", "/ready", Tag.SERVICE, Place.CHECK, health.ready, "Check readiness",
        {200: health.Readiness, 503: health.Readiness},
    ),
    Route(
        "GET", "/openapi.json", Tag.SERVICE, Place.PAGE, docs.openapi_operation(lambda: ROUTES),
        "Get this description", {200: JSON},
    ),
    Route("GET", "/docs", Tag.PAGES, Place.PAGE, docs.docs, "Read and try out this description", {200: "text/html"}),
    Route(
        "GET", "/docs/{file}", Tag.PAGES, Place.PAGE, docs.docs_file, "Get a file of the page", {200: "*/*"}, (404,),
        path_parameters={"file": {"type": "string", "enum": list(docs.TYPES)}},
    ),
    Route("GET", "/", Tag.PAGES, Place.PAGE, viewer.viewer, "Open the log viewer", {200: "text/html"}),
    Route(
        "GET", "/embed", Tag.PAGES, Place.PAGE, embed.embed, "Open the log viewer inside another page",
        {200: "text/html"}, parameters=(embed.ORIGIN,),
    ),
    Route(
        "GET", "/embed.js", Tag.PAGES, Place.PAGE, embed.embed_script, "Get the custom element for other pages",
        {200: "text/javascript"},
    ),
    Route(
        "GET", "/viewer/{file}", Tag.PAGES, Place.PAGE, viewer.viewer_file, "Get a file of the page",
        {200: "*/*"}, (404,), path_parameters={"file": {"type": "string", "enum": list(viewer.TYPES)}},
    ),
)  # fmt: skip
