"""GET /ledger/...: checkpoints, consistency proofs and tiles of the ledger, as C2SP tlog-tiles lays them out."""

from typing import Final

from core.auth.tokens import READ, Claims
from core.domain.filter_values import boolean, integer
from core.domain.strict_json import MAX_INTEGER
from core.errors import InsufficientScopeError, InvalidSettingsError, ProofNotFoundError
from core.ledger.policies import with_witnesses
from core.ledger.tiles import parse_path
from core.wiring import Services
from functions.http.bearer import authenticate
from functions.http.handler import Operation, lambda_handler
from functions.http.query_string import Parameter, QueryString
from functions.http.request import Request
from functions.http.response import Response
from functions.proofs.event_proof import TEXT

OCTETS: Final = "application/octet-stream"

OLD: Final = Parameter(
    "old",
    lambda text: integer(text, low=1),
    {"type": "integer", "minimum": 1, "maximum": MAX_INTEGER},
    "Size of the older checkpoint.",
    required=True,
)

COSIGNED: Final = Parameter(
    "cosigned",
    boolean,
    {"type": "boolean", "default": False},
    "Whether the checkpoint must have the cosignatures of enough witnesses.",
)

_MAX_PATH_PARAMETERS: Final = 4
TILE_PARAMETERS: Final = tuple(
    tuple(f"n{place}" for place in range(1, count + 1)) for count in range(1, _MAX_PATH_PARAMETERS + 1)
)
"""Path parameters after the level, for each number of them: up to three groups of digits, and the width."""

_NEWEST: Final = {"Cache-Control": "private, max-age=5"}
_IMMUTABLE: Final = {"Cache-Control": "private, max-age=31536000, immutable"}


def ledger_checkpoint(request: Request, services: Services) -> Response:
    """Get the newest signed checkpoint, a C2SP signed note. While none is signed yet, the status is 404.

    With `cosigned=true` it is the newest one that enough witnesses have cosigned.
    """
    authenticate(request, services, READ)
    query = QueryString(request.query, (COSIGNED,))
    cosigned = query.one(COSIGNED) or False
    query.raise_errors()
    return Response(200, services.proofs.checkpoint(cosigned=cosigned).note, TEXT, _NEWEST)


def ledger_consistency(request: Request, services: Services) -> Response:
    """Get the proof that an older checkpoint is the beginning of the newest one, and the newest one.

    The body is that of `add-checkpoint` of a witness (C2SP tlog-witness).
    """
    authenticate(request, services, READ)
    query = QueryString(request.query, (OLD,))
    old = query.one(OLD)
    query.raise_errors()
    assert old is not None  # noqa: S101 - OLD is required
    return Response(200, services.proofs.consistency(old), TEXT, _NEWEST)


def ledger_policy(request: Request, services: Services) -> Response:
    """Get the public keys of the ledger and its witnesses, as a C2SP tlog-policy.

    Verifiers need them from another source as well.
    """
    QueryString(request.query, ()).raise_errors()
    return Response(200, policy_of(services), TEXT, _NEWEST)


def policy_of(services: Services) -> bytes:
    """Return the public keys of the ledger and of its witnesses (C2SP tlog-policy).

    Raises:
        ProofNotFoundError: this service has no ledger.
        ProofPendingError: no process has signed with a key yet.
        InvalidSettingsError: the policy file of the witnesses cannot be read.
    """
    policy, witnesses = services.proofs.policy(), services.settings.ledger_witnesses
    try:
        return with_witnesses(policy, witnesses.read_bytes()) if witnesses else policy
    except OSError as exc:
        raise InvalidSettingsError(f"AUDIT_LOG_LEDGER_WITNESSES cannot be read ({exc.strerror}).") from None


def tile_operation(parameters: tuple[str, ...]) -> Operation:
    """Build the operation for the tiles whose paths have these parameters after the level."""

    def ledger_tile(request: Request, services: Services) -> Response:
        """Get a tile of the Merkle tree, or a bundle of entries. A token that is limited to customers gets a 403."""
        claims = _authenticate(request, services)
        _require_all_customers(claims)
        parts = [request.path_parameters.get(name, "") for name in ("level", *parameters)]
        tile = parse_path("/".join(parts))
        if tile is None:
            raise ProofNotFoundError("The path is not one of a tile, such as 0/x001/234 or entries/000.p/17.")
        return Response(200, services.proofs.tile(tile), OCTETS, _IMMUTABLE, is_text=False)

    ledger_tile.__name__ = f"ledger_tile_{len(parameters)}"
    return ledger_tile


def _authenticate(request: Request, services: Services) -> Claims:
    claims = authenticate(request, services, READ)
    QueryString(request.query, ()).raise_errors()
    return claims


def _require_all_customers(claims: Claims) -> None:
    if claims.customers is not None:
        raise InsufficientScopeError("The token is limited to customers, and tiles are about all of them.", READ)


checkpoint_handler = lambda_handler(ledger_checkpoint)
consistency_handler = lambda_handler(ledger_consistency)
policy_handler = lambda_handler(ledger_policy)
