"""`audit-log demo`: the service with generated sample data."""
