"""Client administration as a Lambda function, for deployments whose database no command line reaches.

IAM decides who may invoke it. The response holds a secret; Lambda does not log responses.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from core.auth.client_registry import new_client
from core.auth.tokens import DEFAULT_SCOPES
from core.wiring import Services


class ClientCommand(BaseModel):
    """A command of an operator: create, rotate or disable a client."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Create(ClientCommand):
    """Register a client. `customers` are those that it is limited to; None means all."""

    act: Literal["create"]
    name: str
    scopes: tuple[str, ...] = DEFAULT_SCOPES
    customers: tuple[int, ...] | None = None


class Rotate(ClientCommand):
    """Give a client a new secret. With `keep_previous` the old one stays valid until the next rotation."""

    act: Literal["rotate"]
    client_id: str
    keep_previous: bool = True


class Disable(ClientCommand):
    """Refuse further tokens to a client."""

    act: Literal["disable"]
    client_id: str


_COMMANDS: TypeAdapter[Create | Rotate | Disable] = TypeAdapter(
    Annotated[Create | Rotate | Disable, Field(discriminator="act")]
)


def execute(event: object, services: Services) -> dict[str, Any]:
    """Run one command; return the client's id and, if it got a new one, its secret, which is not stored.

    Raises:
        ValidationError: pydantic's, for an event that is no command.
        ClientNotFoundError: no client has this id.
        InvalidFieldsError: the client cannot be registered with this name, scope or customer.
        StoreUnavailableError: nothing was changed.
    """
    registry = services.client_registry
    match _COMMANDS.validate_python(event):
        case Create(name=name, scopes=scopes, customers=customers):
            client, secret = new_client(name, scopes, customers, services.clock())
            registry.add(client)
        case Rotate(client_id=client_id, keep_previous=keep_previous):
            client, secret = registry.rotate(client_id, keep_previous=keep_previous)
        case Disable(client_id=client_id):
            return {"client_id": registry.disable(client_id).client_id}
    return {"client_id": client.client_id, "client_secret": secret}
