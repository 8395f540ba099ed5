"""The package as `make package` builds it, once for all test processes, and an interpreter with nothing but it."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self
from zipfile import ZipFile

import yaml

from infra.build import PACKAGE, TEMPLATE, build
from infra.errors import WheelsUnavailableError
from infra.staging import PYTHON, interpreter
from tests.support.skipping import skip_or_fail
from tests.support.waiting import SECONDS

ROOT = Path(__file__).parents[2]
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
RUNTIME = ["boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3"]
"""What Lambda has installed itself: https://docs.aws.amazon.com/lambda/latest/dg/python-package.html"""


def built(python: str = PYTHON) -> Path:
    """The folder with the package and the template, as of the sources of now, for a version of Python."""
    cache = ROOT / ".cache" / "aws"
    cache.mkdir(parents=True, exist_ok=True)
    output = cache / f"dist-{python}"
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other test processes wait for the one that builds
        done = output / "built-by"
        if not done.exists() or done.read_text() != run:
            try:
                build(cache, output, python)
            except WheelsUnavailableError as exc:
                skip_or_fail(f"PyPI cannot be reached: with network, `make package` gets the wheels. {exc}")
            done.write_text(run)
    return output


def template() -> dict[str, Any]:
    """The template as it is deployed."""
    read: dict[str, Any] = yaml.safe_load((built() / TEMPLATE).read_text())
    return read


class LambdaProcess:
    """A process that runs handlers of the package, and has nothing but it and what Lambda has itself."""

    def __init__(self, home: Path, environ: Mapping[str, str]) -> None:
        self.environ = environ
        # Without Lambda's version of Python, use that of the tests, with a package built for it.
        executable = interpreter(PYTHON)
        package = built() if executable else built(RUNNING)
        code, runtime = home / "task", home / "runtime"
        with ZipFile(package / PACKAGE) as archive:
            archive.extractall(code)
        runtime.mkdir()
        for name in RUNTIME:
            spec = find_spec(name)
            assert spec is not None
            assert spec.origin is not None
            path = Path(spec.origin)
            path = path.parent if path.name == "__init__.py" else path
            (runtime / path.name).symlink_to(path)
        self._log = home / "log"
        program = Path(__file__).with_name("lambda_runtime.py")
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [executable or sys.executable, "-I", "-S", str(program), str(code), str(runtime)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=dict(environ), cwd=code,
            )  # fmt: skip

    def call(self, handler: str, event: Mapping[str, Any]) -> Any:
        """What the handler answers; a failure shows its log."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"handler": handler, "event": event}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, self._log.read_text()
        return json.loads(answer)["result"]

    @property
    def modules(self) -> list[str]:
        """The names of the modules that are loaded."""
        loaded: list[str] = self.call("modules", {})
        return loaded

    @property
    def log(self) -> list[dict[str, Any]]:
        """The log so far."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(SECONDS)
        self._process.stdout.close()
