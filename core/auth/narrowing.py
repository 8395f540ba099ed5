"""Narrowing of tokens: the fields of a token request by which a client asks for less than it may have.

A backend uses it to make tokens for the browsers of its users: docs/guides/embed.md.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError

from core.auth.tokens import DEFAULT_SCOPES, READ, Name
from core.domain.filter_values import integer
from core.domain.models import Client

NARROWING: Final = ("customers", "valid_minutes", "viewer")
"""Fields that must not be empty: a backend that sends an empty one by mistake would get a token without the limit."""

_NAME: Final = TypeAdapter[str](Name)


class RefusedRequestError(Exception):
    """A token request that is refused, with its error code of RFC 6749 section 5.2."""

    def __init__(
        self, code: Literal["invalid_request", "invalid_scope", "unsupported_grant_type"], message: str
    ) -> None:
        super().__init__(message)
        self.code = code


class Grant(NamedTuple):
    """The rights of a token. `customers` None: all; `minutes` None: the default lifetime."""

    scopes: tuple[str, ...]
    customers: tuple[int, ...] | None
    minutes: int | None = None
    viewer: str | None = None


def full_grant(client: Client | None, minutes: int | None = None) -> Grant:
    """Return all that a client may have; None: in open mode, the default scopes for all customers."""
    return Grant(DEFAULT_SCOPES, None, minutes) if client is None else Grant(client.scopes, client.customers, minutes)


def narrow(full: Grant, form: Mapping[str, str], max_minutes: int) -> Grant:
    """Return the part of `full` that the fields of a token request ask for.

    Raises:
        RefusedRequestError: a field is malformed, or asks for more than `full`. The message names the remedy.
    """
    for name in NARROWING:
        if form.get(name) == "":
            raise RefusedRequestError("invalid_request", f"{name} is empty: send a value, or leave {name} out.")
    viewer = _viewer(form)
    grant = Grant(_scopes(full, form, viewer), _customers(full, form), _minutes(form, max_minutes), viewer)
    if viewer is not None and grant.customers is None:
        raise RefusedRequestError(
            "invalid_request", "A token for a viewer is limited to customers: send customers, such as customers=42."
        )
    return grant


def _scopes(full: Grant, form: Mapping[str, str], viewer: str | None) -> tuple[str, ...]:
    requested = tuple(dict.fromkeys(form["scope"].split(" "))) if form.get("scope") else None
    if requested is not None and not set(requested) <= set(full.scopes):
        raise RefusedRequestError("invalid_scope", f"The client may request: {' '.join(full.scopes)}.")
    if viewer is None:
        return requested or full.scopes
    if READ not in full.scopes:
        raise RefusedRequestError(
            "invalid_scope", f"A token for a viewer needs the scope {READ}, which the client does not have."
        )
    if requested not in {None, (READ,)}:
        raise RefusedRequestError("invalid_scope", f"A token for a viewer may only read: send scope={READ}.")
    return (READ,)


def _customers(full: Grant, form: Mapping[str, str]) -> tuple[int, ...] | None:
    if "customers" not in form:
        return full.customers
    try:
        requested = tuple(dict.fromkeys(integer(text) for text in form["customers"].split(" ")))
    except ValueError:
        raise RefusedRequestError(
            "invalid_request", "customers must be integers separated by single spaces, such as customers=42 43."
        ) from None
    if full.customers is not None and not set(requested) <= set(full.customers):
        raise RefusedRequestError(
            "invalid_scope",
            "The client is limited to certain customers, which do not include all of the requested ones: request only "
            "customers of the client, or use another client.",
        )
    return requested


def _minutes(form: Mapping[str, str], max_minutes: int) -> int | None:
    if "valid_minutes" not in form:
        return None
    try:
        return integer(form["valid_minutes"], low=1, high=max_minutes)
    except ValueError as exc:
        raise RefusedRequestError("invalid_request", f"valid_minutes {exc}.") from None


def _viewer(form: Mapping[str, str]) -> str | None:
    if "viewer" not in form:
        return None
    try:
        return _NAME.validate_python(form["viewer"])
    except ValidationError:
        raise RefusedRequestError(
            "invalid_request", "viewer must have 1 to 255 characters, none of them control characters."
        ) from None
