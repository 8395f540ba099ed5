"""Operator functions: client administration and database maintenance."""
