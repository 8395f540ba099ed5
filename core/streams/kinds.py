"""Kinds of destinations: finds the module of a kind, checks settings and secrets by it, and opens destinations.

`core.ports.streams` says what such a module has.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from core.domain.field_errors import field_errors
from core.domain.streams import Stream
from core.errors import FieldError, InvalidFieldsError, MisconfiguredError
from core.ports.streams import Destination

SIGNING_SECRETS: Final = "signing_secrets"
"""Field of `Secrets` with the secrets that sign requests, the newest first. All of them sign."""
_MAX_ERRORS: Final = 20
"""Errors that a refusal lists, so that it is not many times larger than its request."""
_MAX_SIGNING_SECRETS: Final = 2


def load_kind(kind: str) -> Any:
    """Import the module of a kind.

    Raises:
        MisconfiguredError: a library that it needs is not installed.
    """
    try:
        return import_module(f"core.streams.destinations.{kind}")
    except ImportError as exc:
        raise MisconfiguredError(
            f"The library {exc.name} is not installed, which a destination of the kind {kind} needs."
        ) from None


def checked(kind: str, config: Mapping[str, Any], secrets: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return valid settings and secrets of a destination as JSON, with all defaults.

    Raises:
        InvalidFieldsError: names each invalid field; never repeats a value.
        MisconfiguredError: see `load_kind`.
    """
    module = load_kind(kind)
    errors: list[FieldError] = []
    valid: list[dict[str, Any]] = []
    for name, model, given in (("destination", module.Config, config), ("secrets", module.Secrets, secrets)):
        try:
            valid.append(_plain(model.model_validate(given)))
        except ValidationError as exc:
            errors += field_errors(exc, below=[name])
    if errors:
        raise InvalidFieldsError("The stream is invalid: see errors.", errors[:_MAX_ERRORS])
    return valid[0], valid[1]


def operator_only(kind: str, config: Mapping[str, Any], secrets: Mapping[str, Any]) -> str | None:
    """Return why only the operator, at the command line, may set up this destination; None: everyone may."""
    module = load_kind(kind)
    reason: str | None = module.operator_only(
        module.Config.model_validate(config), module.Secrets.model_validate(secrets)
    )
    return reason


def open_kind(stream: Stream, secrets: Mapping[str, Any], egress: object) -> Destination:
    """Open the destination of a stream.

    Raises:
        MisconfiguredError: its settings are not valid in this version or on this machine.
    """
    module = load_kind(stream.kind)
    try:
        config, secret = module.Config.model_validate(stream.destination), module.Secrets.model_validate(secrets)
    except ValidationError:
        raise MisconfiguredError("The settings of the destination are not valid: change the stream.") from None
    destination: Destination = module.open_destination(stream.stream_id, config, secret, egress)
    return destination


def with_signing_secret(kind: str, secrets: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """Put a new signing secret before the present one, which stays valid; None if the kind does not sign."""
    module = load_kind(kind)
    if SIGNING_SECRETS not in module.Secrets.model_fields:
        return dict(secrets), None
    new: str = module.new_signing_secret()
    present = list(secrets.get(SIGNING_SECRETS) or ())
    return {**secrets, SIGNING_SECRETS: [new, *present][:_MAX_SIGNING_SECRETS]}, new


def _plain(model: BaseModel) -> dict[str, Any]:
    """Return a model as JSON, secrets included."""
    return {name: _revealed(value) for name, value in model.model_dump(mode="python").items()}


def _revealed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _revealed(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_revealed(each) for each in value]
    if hasattr(value, "get_secret_value"):
        return value.get_secret_value()
    return value if value is None or isinstance(value, bool | int | float) else str(value)
