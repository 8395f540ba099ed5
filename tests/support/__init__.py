"""Helpers that tests share: builders, fakes with state, and the servers under test."""
