"""Imported before anything else, it lets a program report at its end how long each module took, as JSON on stderr.

`-X importtime` does not see modules imported by `importlib.import_module`, and pydantic loads most of itself that way.
"""

import atexit
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from importlib.machinery import ExtensionFileLoader, ModuleSpec, SourceFileLoader
from types import ModuleType

_own: defaultdict[str, float] = defaultdict(float)
"""Milliseconds by module: finding, reading and running it, without the modules that it imports in turn."""
_inner = [0.0]
"""For each import in progress, the outermost first: seconds that the imports inside it took."""


def _timed(step: Callable[..., object]) -> Callable[..., object]:
    def timed(loader: object, of: ModuleType | ModuleSpec) -> object:
        started = time.perf_counter()
        _inner.append(0.0)
        try:
            return step(loader, of)
        finally:
            took = (time.perf_counter() - started) * 1000
            _own[of.__name__ if isinstance(of, ModuleType) else of.name] += took - _inner.pop()
            _inner[-1] += took

    return timed


for _loader, _step in (
    (SourceFileLoader, "exec_module"),
    (ExtensionFileLoader, "create_module"),
    (ExtensionFileLoader, "exec_module"),
):
    setattr(_loader, _step, _timed(getattr(_loader, _step)))
atexit.register(lambda: print(json.dumps(_own), file=sys.stderr))
