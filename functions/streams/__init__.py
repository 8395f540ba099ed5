"""Handlers of streams."""
