"""Handlers of the ledger: proofs of events, checkpoints, tiles and public keys."""
