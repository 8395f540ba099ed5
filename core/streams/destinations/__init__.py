"""Destinations of streams, a module for each kind."""
