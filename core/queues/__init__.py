"""Adapters of the queue ports for message brokers, one package for each. Only these import the client libraries."""
