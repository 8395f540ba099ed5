"""Errors of the verifier."""

from audit_log_client.errors import AuditLogClientError


class NotProvenError(AuditLogClientError):
    """The files do not prove what they are said to prove. The message names the step that failed."""


class PolicyError(AuditLogClientError):
    """The policy or the key is not one. Get it from the operator of the ledger, by another way than the proof."""


class VerifierUnavailableError(AuditLogClientError):
    """The library that checks signatures is not installed. Install `audit-log-client[verify]`."""
