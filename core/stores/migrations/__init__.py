"""Alembic migrations of the event store: revisions, and the functions that apply and check them."""
