"""Customers, event types and senders on the command line, within the bounds of the fields of an event.

An empty text is refused like any other that no event has. It is what an unset variable of a script leaves, and must
not pass for "all types".
"""

from __future__ import annotations

from functools import partial
from typing import Final

import typer

NAME_RULE: Final = "must have 1 to 255 characters, none of them control characters"
_MAX_REASON: Final = 1_000


def customer_id(text: str) -> int:
    """Parse the id of a customer. Raises ValueError with the remedy."""
    from core.domain.filter_values import integer

    return integer(text)


def event_type(text: str) -> str:
    """Check the type of an event. Raises ValueError with the remedy."""
    from core.domain.filter_values import event_type as checked

    return checked(text)


def client_name(text: str) -> str:
    """Check the name of the client that records events. Raises ValueError with the remedy."""
    from pydantic import TypeAdapter, ValidationError

    from core.auth.tokens import Name

    try:
        return TypeAdapter(Name).validate_python(text)
    except ValidationError:
        raise ValueError(NAME_RULE) from None


def reason(text: str) -> str:
    """Check the reason of an operation. Raises ValueError with the remedy."""
    if not text.strip() or len(text) > _MAX_REASON:
        raise ValueError(f"must say why, in 1 to {_MAX_REASON:,} characters")
    return text


customer_option = partial(typer.Option, "--customer", metavar="ID", parser=customer_id)
"""An option whose value is the id of a customer; of a parameter that is a list, repeatable."""
type_option = partial(typer.Option, "--type", metavar="TYPE", parser=event_type)
"""An option whose value is the type of an event."""
reason_option = partial(
    typer.Option, "--reason", metavar="TEXT", parser=reason, help="Why, for the event that records it."
)
"""The option for the reason of an operation that the log records."""
