"""Handlers of alert rules."""
