"""Queues outside this process. Each adapter imports its client library inside itself."""
