"""Streams: sends the events of the log to other systems, from a place in the log that each stream has."""
