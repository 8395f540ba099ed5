"""The clock: a function that returns Unix seconds, passed in so that tests set the time."""

from collections.abc import Callable

Clock = Callable[[], float]
