"""Long polls: requests that wait for an event that is yet to come.

No operation waits. It answers at once, and the answer says how to ask again: a server that can hold a request without
a thread does so, and elsewhere, as in AWS Lambda, the first answer is the answer.
"""

from contextvars import ContextVar
from typing import NamedTuple


class LongPoll(NamedTuple):
    """How to repeat a request whose answer has no event, because the ledger ended."""

    seconds: int
    """How long its client wants to wait, from the first time on."""
    ledger_size: int
    """Number of entries of the ledger at this answer: with as many, another answer would be the same."""
    query: str
    """Query string that continues from where the answer ended."""


current_long_poll: ContextVar[LongPoll | None] = ContextVar("current_long_poll", default=None)
"""How to repeat the current request, for servers that can hold it. None: its answer is final."""
