"""Verifiers by other authors, and what they say of the proofs of a running service: `python -m tests.verifiers`."""
