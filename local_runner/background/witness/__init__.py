"""A witness of other ledgers (C2SP tlog-witness): cosigns checkpoints that continue those it has seen."""
