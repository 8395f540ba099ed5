"""Alert rules: pure steps over the events of the log, their evaluation and their registration."""
