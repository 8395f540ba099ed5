"""GET /catalogue: the event types that the operator describes, for readers that show events."""

import re
from typing import Final

from pydantic import Field

from core.auth.tokens import READ
from core.domain.catalogue.entries import EventType
from core.wiring import Services
from functions.http.bearer import authenticate
from functions.http.handler import lambda_handler
from functions.http.query_string import QueryString
from functions.http.request import Request
from functions.http.response import Response, ResponseModel
from functions.http.route import Header

ETAG: Final = Header("ETag", "Changes with the files of the catalogue; send it as If-None-Match.")
IF_NONE_MATCH: Final = Header("If-None-Match", "The ETag of an earlier response: the response is 304 if it is current.")

_TAGS: Final = re.compile(r'(?:W/)?"([^"]*)"')


class CatalogueResponse(ResponseModel):
    """The catalogue in force. Without one, `digest` is null and there are no types."""

    digest: str | None = Field(description="SHA-256 of the files, see `audit-log catalogue check`.")
    strict: bool = Field(description="Whether events of other types are refused.")
    types: list[EventType]


def catalogue(request: Request, services: Services) -> Response:
    """Get titles, sentences, field paths and schemas of the event types that the operator describes.

    They are no customer's data: a token that is limited to customers gets all of them.
    """
    authenticate(request, services, READ)
    QueryString(request.query, ()).raise_errors()
    in_force = services.catalogue
    digest = in_force.digest if in_force else None
    tag = f"{digest or 'none'}{'-strict' if in_force and in_force.strict else ''}"
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache"}
    sent = request.header("if-none-match") or ""
    if sent.strip() == "*" or tag in _TAGS.findall(sent):
        return Response(304, headers=headers)
    types = in_force.types if in_force else []
    found = CatalogueResponse(digest=digest, strict=bool(in_force and in_force.strict), types=types)
    return Response(200, found.model_dump_json(by_alias=True).encode(), headers=headers)


handler = lambda_handler(catalogue)
