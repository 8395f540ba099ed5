"""Builds and describes what runs elsewhere."""
