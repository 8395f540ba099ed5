"""The model of events, queries and their results: no I/O and no threads."""
