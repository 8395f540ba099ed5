"""Places of requests: a look-up of a route's place that is quick enough for the event loop."""

import re
from collections.abc import Iterable
from typing import Final

from functions.http.route import Place, Route

_PARAMETER: Final = re.compile(r"\{[^{}]+\}")
_MAX_PARTS: Final = 5
"""Parts of a path from the first parameter of its route on."""


class Places:
    """Finds where a request has to be answered, without matching its route."""

    def __init__(self, routes: Iterable[Route]) -> None:
        routes = tuple(routes)
        self._places: dict[tuple[str, str], Place] = {
            (route.method, _PARAMETER.sub("", route.path)): route.place for route in routes
        }
        for route in routes:  # for paths with several parameters, and for those that only begin like a route
            self._places.setdefault((route.method, route.path.partition("{")[0]), route.place)

    def find(self, method: str, path: str) -> Place:
        """Return the place of a request."""
        method = "GET" if method == "HEAD" else method
        if found := self._places.get((method, path)):
            return found
        end = len(path)
        act = path[path.rfind("/") :]  # what may follow a parameter, such as /test
        for _ in range(_MAX_PARTS):
            if (end := path.rfind("/", 0, end)) < 0:
                break
            beginning = path[: end + 1]
            if found := self._places.get((method, beginning + act)) or self._places.get((method, beginning)):
                return found
        return Place.PAGE  # without a route it is refused
