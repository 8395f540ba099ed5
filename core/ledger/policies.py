"""Policies (C2SP tlog-policy): the ledger's keys and its witnesses, for those who verify."""

from typing import Final

_LOG: Final = b"log"
_WITNESS: Final = b"witness"
_WORDS_OF_WITNESS: Final = 3


def with_witnesses(logs: bytes, policy: bytes) -> bytes:
    """Return the `log` lines of one policy with the witnesses, groups and quorum of another.

    Comments are left out, as are the addresses of the witnesses, which verifiers do not need.
    """
    lines = [line for line in logs.splitlines() if line.startswith(_LOG)]
    for line in policy.split(b"\n"):
        words = line.split()
        if words and words[0] != _LOG and not words[0].startswith(b"#"):
            lines.append(b" ".join(words[:_WORDS_OF_WITNESS] if words[0] == _WITNESS else words))
    return b"\n".join(lines) + b"\n"
