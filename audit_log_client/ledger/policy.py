"""Policies (C2SP tlog-policy): which logs a verifier trusts, and which witnesses must have cosigned a checkpoint."""

import re
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from audit_log_client.ledger.errors import PolicyError
from audit_log_client.ledger.notes import LOG, WITNESS, VerifierKey, parse_key

_NO_QUORUM: Final = "none"
_FORBIDDEN: Final = re.compile(rb"[^\t\n\x20-\x7e\x80-\xff]")
_THRESHOLD: Final = re.compile(r"[1-9][0-9]{0,3}")
_MAX_LINES: Final = 1000


class Group(NamedTuple):
    """A set of witnesses and groups, of which `threshold` are enough. A witness is a group of itself."""

    threshold: int
    members: tuple["Group | VerifierKey", ...]

    def is_met(self, cosigners: set[VerifierKey]) -> bool:
        """Whether enough members cosigned."""
        met = sum(
            each in cosigners if isinstance(each, VerifierKey) else each.is_met(cosigners) for each in self.members
        )
        return met >= self.threshold


class Policy(NamedTuple):
    """Trusted keys, and the cosignatures that a checkpoint needs."""

    logs: tuple[VerifierKey, ...]
    witnesses: tuple[VerifierKey, ...] = ()
    quorum: Group = Group(0, ())
    urls: Mapping[VerifierKey, str] = MappingProxyType({})
    """Submission prefixes of witnesses (C2SP tlog-witness), by their keys. Verifiers do not need them."""


def policy_of_key(text: str) -> Policy:
    """Return the policy that trusts one log, by its public key as text (a vkey), and needs no cosignatures.

    Raises:
        PolicyError: the text is not the key of a log.
    """
    return Policy((_key(text, LOG),))


def parse_policy(data: bytes, *, needs_log: bool = True) -> Policy:
    """Decode a policy file. A log's own policy, of its witnesses, `needs_log` not.

    Raises:
        PolicyError: a line is malformed, defines a name or key a second time or refers to one that is not defined, or
            there is no log or not exactly one quorum.
    """
    data = data.removeprefix(BOM_UTF8)
    if _FORBIDDEN.search(data) or data.count(b"\n") > _MAX_LINES:
        raise PolicyError("The policy is not a text of at most 1,000 lines without control characters.")
    lines = [line.split() for line in data.decode("latin-1").replace("\t", " ").split("\n")]  # names are octets
    parser = _Parser()
    for number, words in enumerate(lines, 1):
        if words and not words[0].startswith("#"):
            parser.read(number, words)
    if parser.quorum is None or (needs_log and not parser.logs):
        raise PolicyError("A policy needs a line `log KEY` and a line `quorum NAME`, or `quorum none`.")
    return Policy(tuple(parser.logs), tuple(parser.witnesses), parser.quorum, parser.urls)


class _Parser:
    def __init__(self) -> None:
        self.logs: list[VerifierKey] = []
        self.witnesses: list[VerifierKey] = []
        self.quorum: Group | None = None
        self.urls: dict[VerifierKey, str] = {}
        self._names: dict[str, Group | VerifierKey] = {}
        self._used: set[str] = set()

    def read(self, number: int, words: Sequence[str]) -> None:
        match words:
            case ["log", key] | ["log", key, _]:
                self._add(number, self.logs, _key(_utf8(key), LOG))
            case ["witness", name, key, *url] if len(url) <= 1:
                witness = _key(_utf8(key), WITNESS)
                self._add(number, self.witnesses, witness)
                self.urls |= dict.fromkeys([witness], url[0]) if url else {}
                self._define(number, name, witness)
            case ["group", name, threshold, *members] if members:
                self._define(number, name, self._group(number, threshold, members))
            case ["quorum", name] if self.quorum is None:
                self.quorum = Group(0, ()) if name == _NO_QUORUM else Group(1, (self._named(number, name),))
            case _:
                raise PolicyError(f"Line {number} of the policy is not a log, a witness, a group or the one quorum.")

    def _add(self, number: int, keys: list[VerifierKey], key: VerifierKey) -> None:
        if any(key.public_key == other.public_key for other in keys):
            raise PolicyError(f"Line {number} of the policy has a key that another line has.")
        keys.append(key)

    def _define(self, number: int, name: str, meaning: Group | VerifierKey) -> None:
        if name in self._names or name == _NO_QUORUM:
            raise PolicyError(f"Line {number} of the policy defines a name for the second time.")
        self._names[name] = meaning

    def _group(self, number: int, threshold: str, names: Sequence[str]) -> Group:
        members = tuple(self._named(number, name) for name in names)
        if self._used & {*names} or len({*names}) < len(names):
            raise PolicyError(f"Line {number} of the policy has a member that is in a group already.")
        self._used |= {*names}
        if threshold in {"any", "all"}:
            return Group(1 if threshold == "any" else len(members), members)
        if not _THRESHOLD.fullmatch(threshold) or int(threshold) > len(members):
            raise PolicyError(f"Line {number} of the policy needs `any`, `all` or a number up to that of its members.")
        return Group(int(threshold), members)

    def _named(self, number: int, name: str) -> Group | VerifierKey:
        if name not in self._names:
            raise PolicyError(f"Line {number} of the policy refers to a name that no line before it defines.")
        return self._names[name]


def _key(text: str, signature_type: int) -> VerifierKey:
    key = parse_key(text)
    if key.signature_type != signature_type:
        raise PolicyError("A key is in the place of another kind: a log's key has type 1, a witness's key has type 4.")
    return key


def _utf8(text: str) -> str:
    try:
        return text.encode("latin-1").decode()
    except UnicodeDecodeError:
        raise PolicyError("A key is not UTF-8.") from None
