"""Verifies events of a tamper-evident ledger offline: no service, no database, no trust in who handed them over.

    from audit_log_client.ledger import parse_policy, verify_event

    policy = parse_policy(Path("policy").read_bytes())
    proven = verify_event(Path("ID.tlog-proof").read_bytes(), policy, data=Path("ID.data").read_bytes())

Strict: every byte of a proof is either checked or the proof is refused. It shares no code with the service, so that an
error in one is seen by the other. Needs the extra `verify`.
"""

from audit_log_client.ledger.documents import Head
from audit_log_client.ledger.errors import NotProvenError, PolicyError, VerifierUnavailableError
from audit_log_client.ledger.policy import Policy, parse_policy, policy_of_key
from audit_log_client.ledger.proofs import (
    ProvenCheckpoint,
    ProvenEvent,
    checkpoint_size,
    verify_consistency,
    verify_event,
)

__all__ = [
    "Head",
    "NotProvenError",
    "Policy",
    "PolicyError",
    "ProvenCheckpoint",
    "ProvenEvent",
    "VerifierUnavailableError",
    "checkpoint_size",
    "parse_policy",
    "policy_of_key",
    "verify_consistency",
    "verify_event",
]
