"""Faults inside the process: a consumer thread that dies, and a spool whose files are damaged."""

import ctypes
import logging
import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from core.settings import Settings
from local_runner.spool.disk_spool import DiskSpool
from tests.faults.load import AcceptanceRecorder, Verdict, judge, new_event
from tests.support.pipelines import start_pipeline
from tests.support.waiting import until

_EVENTS: Final = 200
_ACKNOWLEDGED: Final = 50


def killed_consumer(rounds: int) -> Verdict:
    """Raise SystemExit in the consumer's thread, wherever it is, while events come in."""
    recorder = AcceptanceRecorder()
    with _quiet(), TemporaryDirectory(prefix="audit-log-consumer-") as directory:
        settings = Settings.from_environ({"AUDIT_LOG_DATA_DIR": directory})
        pipeline = start_pipeline(settings)
        for _ in range(rounds):
            victim = _consumer()
            for _ in range(random.randint(1, 200)):  # noqa: S311 - no secret
                pipeline.services.acceptance.publish([new := new_event(recorder)])
                recorder.acknowledged[new.event_id] = time.monotonic()
            time.sleep(random.uniform(0, 0.05))  # noqa: S311 - no secret
            _kill(victim)
            until(lambda: _consumer_or_none() is not None, "another consumer")
        verdict = judge(recorder, settings.store_url)
        pipeline.close()
        return verdict


def flipped_bits(rounds: int) -> Verdict:
    """Flip one bit anywhere in a spool, and open it: each missing record has to be reported, and set aside."""
    lost = conceded = unexpected = 0
    with _quiet(), TemporaryDirectory(prefix="audit-log-bits-") as name:
        whole = Path(name) / "whole"
        payloads = {f'{{"number": {number}}}'.encode() for number in range(_EVENTS)}
        spool = DiskSpool(whole, "process")
        numbers = spool.append(sorted(payloads), time.time())
        open_until_killed = Path(name) / "killed"
        spool.acknowledge(numbers[:_ACKNOWLEDGED])
        shutil.copytree(whole, open_until_killed)
        spool.close()
        pending = sorted(payloads)[_ACKNOWLEDGED:]
        for _ in range(rounds):
            damaged = Path(name) / "damaged"
            shutil.copytree(open_until_killed, damaged)
            _flip_a_bit(damaged)
            opened = DiskSpool(damaged, "process")
            found = Counter(payload for payload in _replayed(opened))
            missing = sum(payload not in found for payload in pending)
            reported = opened.stats().corrupt > 0 and any((damaged / "corrupt").iterdir())
            opened.close()
            lost += 0 if reported else missing
            conceded += missing if reported else 0
            unexpected += sum(payload not in payloads for payload in found)
            shutil.rmtree(damaged)
    sent = rounds * len(pending)
    return Verdict(sent, sent, sent - lost - conceded, lost, 0, unexpected, conceded)


def _kill(thread: threading.Thread) -> None:
    while thread.is_alive():  # more than once: where a destructor runs, Python drops the exception
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))
        thread.join(0.3)


def _flip_a_bit(directory: Path) -> None:
    files = [path for path in sorted(directory.rglob("*")) if path.is_file() and path.stat().st_size]
    sizes = [path.stat().st_size for path in files]
    path = random.choices(files, weights=sizes)[0]  # noqa: S311 - no secret
    content = bytearray(path.read_bytes())
    bit = random.randrange(8 * len(content))  # noqa: S311 - no secret
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def _replayed(spool: DiskSpool) -> Iterator[bytes]:
    while records := spool.replay(1000):
        yield from (record.payload for record in records)


def _consumer_or_none() -> threading.Thread | None:
    return next((thread for thread in threading.enumerate() if thread.name == "consumer"), None)


def _consumer() -> threading.Thread:
    until(lambda: _consumer_or_none() is not None, "a consumer")
    found = _consumer_or_none()
    return found if found is not None else _consumer()


@contextmanager
def _quiet() -> Iterator[None]:
    """Each of these faults is logged, as it should be; here they are many."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
