"""Generates the OpenAPI 3.1 description from the routes and their models (https://spec.openapis.org/oas/v3.1.1.html)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from inspect import getdoc
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from core import __version__
from core.auth.tokens import ERASE, MANAGE_STREAMS, READ, WRITE
from functions.http.media_types import JSON, NDJSON
from functions.http.problems import PROBLEM, Problem
from functions.http.query_string import Parameter
from functions.http.route import Header, Place, Route, Tag

JsonObject = dict[str, Any]
References = Mapping[tuple[Any, JsonSchemaMode], JsonObject]

_TOKEN: Final = "bearerToken"  # noqa: S105 - the name of a scheme
_CLIENT: Final = "clientCredentials"
_OAUTH: Final = "oauth2"
_SCOPES: Final = {
    WRITE: "Record events.",
    READ: "Find events.",
    ERASE: "Erase events.",
    MANAGE_STREAMS: "Send events elsewhere, and make alert rules.",
}
_REQUEST_ID: Final = Header("X-Request-Id", "The id of this request.")
_CHALLENGE: Final = Header("WWW-Authenticate", "RFC 6750 section 3.")
_RETRY_AFTER: Final = Header("Retry-After", "Seconds.", {"type": "integer"})
_HEADERS: Final = {401: _CHALLENGE, 403: _CHALLENGE, 429: _RETRY_AFTER, 503: _RETRY_AFTER}
"""By status: headers that every route sends."""
_DETAILS: Final = {
    400: "Not JSON: Expecting value at line 1 column 1.",
    401: "The request has no token: get one from /access-token and send Authorization: Bearer TOKEN.",
    403: f"The token lacks the scope {WRITE}.",
    404: "No event has this id, or the token may not see it. A new event appears within a second.",
    409: "The log ends before this cursor: its database was restored to an earlier state. Compare what you have with "
    "the log, then start from now or from an index.",
    410: "The data of the event was erased. A proof that was made before stays valid.",
    412: "The stream was changed since it was read: read it again, and repeat the change.",
    413: "The event has 300000 bytes as compact JSON: at most 262144 are accepted.",
    415: "The Content-Type is not supported: send application/json in UTF-8.",
    422: "The event is invalid: see errors.",
    428: "Send If-Match with the ETag of the stream that you have read, so that no other change is lost.",
    429: "Too many requests: try again in 7 seconds.",
    500: "The service failed: report it with the request id 01a20b6c-33a4-4461-840c-3a5021f191b5.",
    501: "The event store is MongoDB, which has no ledger here: the feed, streams and erasures need another one.",
    503: "The queue is full: try again later.",
}
"""By status: the detail of an example."""


def describe(routes: Sequence[Route]) -> JsonObject:
    """Build the OpenAPI document of `routes`, for clients that reach them at the root of the host."""
    used: list[tuple[type[BaseModel], JsonSchemaMode]] = [(Problem, "serialization")]
    for route in routes:
        used += [(model, "validation") for model in route.bodies.values()]
        used += [(answer, "serialization") for answer in route.answers.values() if isinstance(answer, type)]
    references, schemas = models_json_schema(used, ref_template="#/components/schemas/{model}")
    paths: dict[str, JsonObject] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, references)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Audit Log Service",
            "version": __version__,
            "description": "Records who did what and when, and answers for it later.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag.title, "description": tag.description} for tag in Tag],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                _TOKEN: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                _OAUTH: {
                    "type": "oauth2",
                    "description": "With AUDIT_LOG_AUTH=open, any id will do, and no secret is required.",
                    "flows": {"clientCredentials": {"tokenUrl": "oauth2/token", "scopes": _SCOPES}},
                },
                _CLIENT: {"type": "http", "scheme": "basic", "description": "Client id and secret."},
            },
        },
    }


def _operation(route: Route, references: References) -> JsonObject:
    operation: JsonObject = {
        "operationId": route.operation.__name__,
        "tags": [route.tag.title],
        "summary": route.summary,
        "description": getdoc(route.operation),
        "security": _security(route),
        "parameters": _parameters(route),
        "responses": {str(status): _response(route, status, references) for status in _statuses(route)},
    }
    if route.bodies:
        content = {
            media_type: {"schema": _body_schema(media_type, model, references)}
            for media_type, model in route.bodies.items()
        }
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _security(route: Route) -> list[JsonObject]:
    if route.scope:
        return [{_TOKEN: []}, {_OAUTH: [route.scope]}]
    # The empty requirement stands for AUDIT_LOG_AUTH=open.
    return [{_CLIENT: []}, {}] if route.credentials else []


def _parameters(route: Route) -> list[JsonObject]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in route.path_parameters.items()
    ]
    in_headers = [
        {"name": header.name, "in": "header", "description": header.description, "schema": header.schema}
        for header in route.headers
    ]
    return [*in_path, *map(_query_parameter, route.parameters), *in_headers]


def _query_parameter(parameter: Parameter[Any]) -> JsonObject:
    described: JsonObject = {
        "name": parameter.name,
        "in": "query",
        "description": parameter.description,
        "schema": {"type": "array", "items": parameter.schema} if parameter.repeatable else parameter.schema,
    }
    if parameter.required:
        described["required"] = True
    if parameter.members:
        # An exploded object in form style is one parameter for each member: event_data.a=1&event_data.b=2.
        # Without an example, Swagger UI would send made-up members.
        described |= {"style": "form", "explode": True, "example": {}}
    return described


def _body_schema(media_type: str, model: type[BaseModel], references: References) -> JsonObject:
    if media_type == NDJSON:  # JSON Schema cannot describe a text of several JSON lines
        return {"type": "string", "description": f"One {model.__name__} on each line."}
    return references[model, "validation"]


def _example_of_problem(status: int) -> JsonObject:
    details = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=_DETAILS[status],
        instance="01a20b6c-33a4-4461-840c-3a5021f191b5",
        errors=[{"loc": ["customer_id"], "msg": "is required"}] if status == HTTPStatus.UNPROCESSABLE_ENTITY else None,
    )
    return details.model_dump(exclude_none=True)


def _statuses(route: Route) -> list[int]:
    gate = (400, 401, 403, 429) if route.scope else ()
    busy = () if route.place is Place.LOOP else (503,)
    return sorted({*route.answers, *route.problems, *gate, *busy, 500})


def _response(route: Route, status: int, references: References) -> JsonObject:
    answer = route.answers.get(status)
    general = [_REQUEST_ID, _HEADERS[status]] if status in _HEADERS else [_REQUEST_ID]
    headers = {
        header.name: {"required": header.required, "description": header.description, "schema": header.schema}
        for header in [*general, *route.response_headers.get(status, ())]
    }
    content: JsonObject = {}
    if isinstance(answer, str):
        content |= {media_type: {} for media_type in answer.split(", ") if media_type}
    elif answer is not None:
        content[JSON] = {"schema": references[answer, "serialization"]}
    if answer is None or status == HTTPStatus.SERVICE_UNAVAILABLE:  # any route answers so if its place is full
        content[PROBLEM] = {"schema": references[Problem, "serialization"], "example": _example_of_problem(status)}
    return {"description": HTTPStatus(status).phrase, "headers": headers, "content": content}
