"""Load generator: sends events to a running service and verifies that each one was stored."""
