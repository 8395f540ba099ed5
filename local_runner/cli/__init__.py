"""The `audit-log` command line."""
