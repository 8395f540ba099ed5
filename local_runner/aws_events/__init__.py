"""Builds the events and contexts that AWS would send: pure functions."""
