"""Roles of people: which customers' events the values of a claim allow to read."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from core.domain.strict_json import MAX_INTEGER, MIN_INTEGER
from core.errors import InvalidSettingsError

ALL: Final = "*"

_ROLE: Final = re.compile(r"(\S+)=(\*|-?[0-9]{1,19}(?:,-?[0-9]{1,19})*)")


class Roles:
    """Customers by role; None: all of them."""

    def __init__(self, written: Iterable[str]) -> None:
        """Parse `NAME=CUSTOMERS`, where CUSTOMERS is `*` or ids with commas between them.

        Raises:
            InvalidSettingsError: not of this form, or a role occurs twice.
        """
        self._customers: dict[str, frozenset[int] | None] = {}
        for text in written:
            match = _ROLE.fullmatch(text)
            ids = [int(part) for part in match[2].split(",")] if match and match[2] != ALL else []
            if (
                match is None
                or match[1] in self._customers
                or not all(MIN_INTEGER <= one <= MAX_INTEGER for one in ids)
            ):
                raise InvalidSettingsError(
                    "AUDIT_LOG_SIGN_IN_ROLES: must be NAME=* or NAME=42,43 for each role, separated by spaces"
                )
            self._customers[match[1]] = frozenset(ids) if ids else None

    def customers(self, claims: Mapping[str, object], path: str) -> Sequence[int] | None:
        """Return the customers of all roles that the claim at `path` has, None for all. `path` has dots between names.

        Raises:
            LookupError: none of its values is a role.
        """
        value: object = claims
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        names = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
        granted = [self._customers[name] for name in names if isinstance(name, str) and name in self._customers]
        if not granted:
            raise LookupError("no role")
        if any(each is None for each in granted):
            return None
        return sorted({customer for each in granted if each is not None for customer in each})
