"""Checks of the source code that `make lint` runs and that no published linter offers."""
