"""Actors: who acts on streams and alert rules, and which of these a token that is limited to customers sees."""

from collections.abc import Sequence
from typing import NamedTuple


class Actor(NamedTuple):
    """Who acts: a client with a token, or the operator at the command line."""

    name: str
    customers: Sequence[int] | None = None
    """Customers that the token is limited to; None: all."""
    is_operator: bool = False

    def may_see(self, customers: Sequence[int] | None) -> bool:
        """Whether the actor sees a stream or rule that is limited to these customers; None: to none."""
        return self.customers is None or (customers is not None and set(customers) <= set(self.customers))

    def limited(self, asked: Sequence[int] | None) -> tuple[int, ...] | None:
        """Return the customers of what the actor makes, each once: those asked for, by default all of the token.

        Raises:
            ValueError: the token is limited to others; with the remedy.
        """
        if asked is None:
            return None if self.customers is None else tuple(dict.fromkeys(self.customers))
        if not self.may_see(asked):
            raise ValueError("must be customers that the token is limited to")
        return tuple(dict.fromkeys(asked))
