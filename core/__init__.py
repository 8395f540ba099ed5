"""The domain of the audit log: no HTTP, no AWS events, no threads."""

__version__ = "0.1.0"
