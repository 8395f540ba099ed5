"""One cold start in a new interpreter: `tests.support.cold_starts` runs `main`.

It imports as little as it can, so that what it measures is the handler's: Lambda's runtime has read the event with
`json` before it imports a handler, too.
"""

import json
import sys
import time
from collections.abc import Sequence
from importlib import import_module


class Kept:
    """A publisher that needs no server. What importing a broker's client library costs is measured by itself."""

    def __init__(self) -> None:
        self.events: list[object] = []

    def publish(self, events: Sequence[object], _traceparent: str | None = None) -> None:
        self.events += events


class NoneRevoked:
    """A list of revoked tokens that needs no server, as `Kept` is a publisher."""

    def revocations(self) -> dict[str, float]:
        return {}


def main() -> None:
    """Read a request from standard input and print its result, both as JSON.

    Asked: `module`; `before`, modules to import first, uncounted; `without`, libraries that shall not be found; `event`
    for the module's handler, or null; `listed`, whether revoked tokens are in a list outside of the database.
    Answered: milliseconds of the import and of the first and second call, the modules loaded after the import and
    after the calls, and the first answer.
    """
    asked = json.load(sys.stdin)
    sys.modules.update(dict.fromkeys(asked["without"]))  # None there is how an import is made to fail
    for name in asked["before"]:
        import_module(name)
    started = time.perf_counter()
    module = import_module(asked["module"])
    told: dict[str, object] = {"import_ms": _since(started), "imported": list(sys.modules)}
    if asked["event"] is not None:
        # The services of the process, with parts brought along as the arguments of `Services` do it.
        services = sys.modules["functions.runtime"].process_services()
        vars(services)["publisher"] = Kept()
        if asked["listed"]:
            vars(services)["_parts"]["revocations"] = NoneRevoked()
        started = time.perf_counter()
        told["answer"] = module.handler(asked["event"], None)
        told["first_ms"] = _since(started)
        started = time.perf_counter()
        module.handler(asked["event"], None)
        told["second_ms"] = _since(started)
    print(json.dumps(told | {"loaded": list(sys.modules)}))  # noqa: T201 - it is the answer


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
