"""Check of the ledger: recomputes it from the stored events, and names what is changed, missing, added or moved."""
