"""Prometheus metrics of one process. Names and labels: docs/reference/metrics.md."""
