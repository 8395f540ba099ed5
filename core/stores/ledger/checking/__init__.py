"""Check of the ledger: recomputes it from the stored events, and names those that were changed, lost or added."""
