"""The in-memory queue with the semantics of SQS, its consumer and its dead letters."""
