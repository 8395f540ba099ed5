"""Who may get tokens, where no command line reaches the database: a Lambda function that the operator calls.

AWS decides who may call it. Its answer holds a secret, and Lambda logs no answers. Every act is an event itself.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from core.auth import clients
from core.auth.tokens import SCOPES
from core.domain.models import Client
from core.errors import InvalidClientError
from core.wiring import Services


class ClientCommand(BaseModel):
    """A command of an operator: create, rotate or disable a client."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Create(ClientCommand):
    """Register a client. `customers`: those that it is limited to; None: all."""

    act: Literal["create"]
    name: str
    scopes: tuple[str, ...] = SCOPES
    customers: tuple[int, ...] | None = None


class Rotate(ClientCommand):
    """Give a client a new secret. `keep_previous`: the old one counts on until the next rotation."""

    act: Literal["rotate"]
    client_id: str
    keep_previous: bool = True


class Disable(ClientCommand):
    """Let a client get no more tokens."""

    act: Literal["disable"]
    client_id: str


_ACTS: TypeAdapter[Create | Rotate | Disable] = TypeAdapter(
    Annotated[Create | Rotate | Disable, Field(discriminator="act")]
)


def execute(event: object, services: Services) -> dict[str, Any]:
    """Do one act; the client's id and, where there is a new one, its secret, which is nowhere else.

    Raises:
        ValidationError: pydantic's, for an act that is none.
        InvalidClientError: there is no such client.
        StoreUnavailableError: nothing was changed.
    """
    from core.stores.clients import SqlClientStore  # noqa: PLC0415 - the other functions need not import SQLAlchemy

    store = SqlClientStore(services.engine)
    at = datetime.fromtimestamp(services.clock(), UTC)
    secret: str | None = None
    facts: dict[str, object] = {}
    match _ACTS.validate_python(event):
        case Create(name=name, scopes=scopes, customers=customers):
            client, secret = clients.create(name, scopes, customers, at=at)
            kind = "client.created"
            facts = {
                "name": name,
                "scopes": list(client.scopes),
                "customers": None if client.customers is None else list(client.customers),
            }
        case Rotate(client_id=client_id, keep_previous=keep):
            client, secret = clients.rotate(_known(services, client_id), keep_previous=keep)
            kind, facts = "client.rotated", {"old_secret_counts": keep}
        case Disable(client_id=client_id):
            client = clients.disable(_known(services, client_id), at=at)
            kind = "client.disabled"
    store.save_client(client, clients.audit_event(kind, client.client_id, at=at, **facts))
    return {"client_id": client.client_id} | ({"client_secret": secret} if secret else {})


def _known(services: Services, client_id: str) -> Client:
    client = services.clients.client(client_id)
    if client is None:
        raise InvalidClientError("There is no client with this id.")
    return client
