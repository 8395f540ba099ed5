"""Interfaces between the handlers and their adapters, one module for each family of callers; and durable files."""
