"""Check of the ledger: recomputes it from the stored events, and names each event that was changed, lost, added or moved."""
