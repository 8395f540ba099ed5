"""A service with something in it to look at."""
