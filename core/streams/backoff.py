"""Pauses between attempts to send the same batch."""

import random
from typing import Final

MAX_PAUSE: Final = 300.0
"""Longest pause that this service chooses, in seconds."""
MAX_RETRY_AFTER: Final = 3600.0
"""Longest pause that a destination can ask for, in seconds."""
MISCONFIGURED_PAUSES: Final = (60.0, 300.0, 900.0)
"""Pauses after the first failures that only a person can end, in seconds. After the last one, the stream stops."""

_MAX_EXPONENT: Final = 9  # 2 ** 9 exceeds MAX_PAUSE


def pause_after(failures: int, retry_after: float | None) -> float:
    """Return the seconds until the next attempt: random, so that destinations are not asked by all at once."""
    most = min(MAX_PAUSE, 2.0 ** min(failures, _MAX_EXPONENT))
    wanted = min(MAX_RETRY_AFTER, retry_after or 0.0)
    return max(wanted, random.uniform(most / 2, most))  # noqa: S311 - not for secrets
