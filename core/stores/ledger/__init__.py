"""The ledger: the order of all stored events, in the database of the events."""
