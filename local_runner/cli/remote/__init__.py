"""Commands for a running service, on this machine or another: query, tail, send, export."""
