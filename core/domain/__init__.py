"""Domain model: events, queries and their results. No I/O and no threads."""
