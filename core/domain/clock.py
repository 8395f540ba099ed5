"""Clock: a function that returns Unix seconds, passed in so that tests can set the time."""

from collections.abc import Callable

Clock = Callable[[], float]
