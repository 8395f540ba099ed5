"""GET /event/{event_id}/proof and /proof/data: files that prove an event to a third party."""

from typing import Final

from core.auth.tokens import READ
from core.domain.filter_values import integer
from core.domain.strict_json import MAX_INTEGER
from core.errors import EventNotFoundError
from core.ports.ledger import SealedEvent
from core.wiring import Services
from functions.get_event import NOT_FOUND
from functions.http.bearer import authenticate
from functions.http.handler import lambda_handler
from functions.http.query_string import Parameter, QueryString
from functions.http.request import Request
from functions.http.response import Response

TEXT: Final = "text/plain; charset=utf-8"

TREE_SIZE: Final = Parameter(
    "tree_size",
    lambda text: integer(text, low=1),
    {"type": "integer", "minimum": 1, "maximum": MAX_INTEGER},
    "Size of an older signed checkpoint to prove the event under; default: the newest.",
)


def event_proof(request: Request, services: Services) -> Response:
    """Get the proof that an event is in the ledger, a C2SP tlog-proof.

    It has all of the event but `event_data`, of which it has the hash. While the event waits for the next signed
    checkpoint, the status is 404 with Retry-After.
    """
    sealed, size = _find(request, services, (TREE_SIZE,))
    return Response(200, services.proofs.prove(sealed, size), TEXT)


def event_proof_data(request: Request, services: Services) -> Response:
    """Get the data document of an event: `event_data` as the ledger commits to it. Its SHA-256 is in the proof."""
    sealed, _ = _find(request, services, ())
    return Response(200, services.proofs.data(sealed), TEXT)


def _find(
    request: Request, services: Services, parameters: tuple[Parameter[int], ...]
) -> tuple[SealedEvent, int | None]:
    claims = authenticate(request, services, READ)
    query = QueryString(request.query, parameters)
    size = query.one(TREE_SIZE) if parameters else None
    query.raise_errors()
    event_id = request.path_parameters.get("event_id", "").lower()
    sealed = services.proofs.find(event_id) if event_id.isascii() else None
    if sealed is None or not claims.may_touch(sealed.event.customer_id):
        raise EventNotFoundError(NOT_FOUND)
    return sealed, size


handler = lambda_handler(event_proof)
data_handler = lambda_handler(event_proof_data)
