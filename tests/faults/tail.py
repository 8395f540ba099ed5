"""Faults of a copy: `audit-log tail --state` is killed at any moment, and started again."""

import json
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.faults.load import AcceptanceRecorder, Load, Verdict, judge
from tests.faults.runner import Runner, runner, token
from tests.support.service import AUDIT_LOG, environment
from tests.support.waiting import until

RATE = 100.0


def killed_tail(rounds: int) -> Verdict:
    """Kill a tail that copies all events, while events come in; `lost` are acknowledged ones that are not copied."""
    with runner() as made, TemporaryDirectory(prefix="audit-log-copy-") as directory:
        output, place = Path(directory) / "copy.ndjson", Path(directory) / "place"
        with Load([made.url], token(), rate=RATE) as load:
            for _ in range(rounds):
                with _tailing(made, load.recorder, output, place):
                    size = output.stat().st_size
                    until(lambda size=size: output.stat().st_size > size, "a copied event")  # type: ignore[misc]
                    time.sleep(random.uniform(0, 0.3))  # noqa: S311 - no secret
        verdict = judge(load.recorder, made.database_url)
        with _tailing(made, load.recorder, output, place):
            acknowledged = load.recorder.acknowledged.keys()
            with suppress(AssertionError):
                until(lambda: not acknowledged - _indices(output).keys(), "the rest")
        indices = _indices(output)
        disorder = [*indices.values()] != sorted(indices.values())
        return replace(verdict, lost=len(acknowledged - indices.keys()), unexpected=verdict.unexpected + disorder)


@contextmanager
def _tailing(made: Runner, recorder: AcceptanceRecorder, output: Path, place: Path) -> Iterator[None]:
    command = [AUDIT_LOG, "tail", "--json", "--from-start", "--state", str(place), "--interval", "0.1"]
    command += ["--url", made.url, "--event-type", recorder.event_type]
    with output.open("a") as file:
        process = subprocess.Popen(command, env=environment(made.data_dir), stdout=file)
        try:
            yield
        finally:
            process.kill()
            process.wait()


def _indices(output: Path) -> dict[str, int]:
    """Return the index of each copied event by its id, in the order of the copies, without incomplete lines."""
    found: dict[str, int] = {}
    for line in output.read_text().splitlines():
        with suppress(json.JSONDecodeError):
            event: dict[str, Any] = json.loads(line)
            found.setdefault(event["event_id"], event["index"])
    return found
