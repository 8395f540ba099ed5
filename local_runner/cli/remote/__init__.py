"""The commands that talk to a running service, here or elsewhere: query, tail, send, export."""
