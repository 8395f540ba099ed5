"""Optimistic changes: a record has a version, and a change of a version that is no longer the newest is refused."""

from collections.abc import Callable
from typing import Final, TypeVar

from core.errors import VersionConflictError

_ATTEMPTS: Final = 5

T = TypeVar("T")


def change_newest(read: Callable[[], T], change: Callable[[T], T]) -> T:
    """Read the newest version and change it, again if another change came in between.

    Raises:
        VersionConflictError: others changed it during each of several attempts.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return change(read())
        except VersionConflictError:
            continue
    return change(read())
