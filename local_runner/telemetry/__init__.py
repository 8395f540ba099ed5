"""What a scrape by Prometheus shows of one process. Names and labels are told in docs/guides/operations.md, Metrics."""
