"""The tamper-evident ledger as pure functions: entries, Merkle tree, tiles, signed checkpoints and proof files.

Formats are those of C2SP (tlog-tiles, tlog-checkpoint, tlog-proof, signed-note), the tree is that of RFC 9162. No SQL
and no HTTP. The verifier, `audit_log_client.ledger`, shares no code with this package.
"""
