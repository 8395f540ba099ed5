"""Entry point of the storing process, `python -m local_runner.queue.storing_main CHANNEL HEARTBEAT`.

Both arguments are descriptors that the service passes on, see `local_runner.queue.storing_process`.
"""

import logging
import os
import socket
import sys
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Any, Final

from core.errors import QueueUnavailableError, StoreUnavailableError, cause_of
from core.ports.ledger import EventOrder
from core.ports.telemetry import CounterName, HistogramName
from core.settings import Settings
from core.wiring import Services
from functions.consume_events import ConsumeHandler, lambda_consumer
from local_runner.aws_events.lambda_context import LambdaContext
from local_runner.aws_events.sqs_event import to_sqs_event
from local_runner.queue import heartbeat
from local_runner.queue.process_memory import tune_memory
from local_runner.queue.spooled import Run
from local_runner.queue.storing_channel import ChannelClosedError, Document, receive_batch, send
from local_runner.spool.extents import read_extent, slot_directory
from local_runner.spool.spool import SPOOL_NAME
from local_runner.telemetry import logging_config
from local_runner.telemetry.tracing import tracing

_ORPHAN_SECONDS: Final = 10.0

_log = logging.getLogger(__name__)


class RecordedMeter:
    """Implements `Meter`: keeps what a batch counts and measures, for its reply."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._measures: defaultdict[str, list[float]] = defaultdict(list)

    def count(self, what: CounterName, amount: int) -> None:
        """See `Meter.count`."""
        self._counts[what.value] += amount

    def measure(self, what: HistogramName, values: Iterable[float]) -> None:
        """See `Meter.measure`."""
        self._measures[what.value].extend(values)

    def take(self) -> Document:
        """Return the figures since the last call."""
        taken = {"counts": dict(self._counts), "measures": dict(self._measures)}
        self._counts.clear()
        self._measures.clear()
        return taken


def main(
    channel: socket.socket,
    signs: int,
    consumer: Callable[[Callable[[], Services]], ConsumeHandler] = lambda_consumer,
) -> None:
    """Store batches, and integrate, until the channel ends.

    `signs` is the descriptor of `heartbeat`; `consumer` makes the handler of its services.
    """
    settings = Settings.from_environ()
    logging_config.configure(settings.log_format)
    traces = tracing()
    meter = RecordedMeter()
    services = Services(settings, meter=meter, instrumentation=traces)
    handler = traces.consumer(consumer(lambda: services))
    _ = services.writer  # imported before the first batch
    spool = settings.data_dir / SPOOL_NAME
    tune_memory()
    heartbeat.give_sign(signs)  # by now: it says whether a crash is that of a batch or that of a start
    Thread(target=_beat, args=(signs,), name="heartbeat", daemon=True).start()
    try:
        while True:
            batch = receive_batch(channel)
            if batch is None:
                reply = _integrate(services.database.ledger)
            else:
                reply = _store_runs(batch.runs, handler, spool) if batch.runs else _store(batch.records, handler)
            send(channel, {**reply, **meter.take()})
    except ChannelClosedError:
        services.close()
        traces.close()


def _store_runs(runs: Sequence[Run], handler: ConsumeHandler, spool: Path) -> Document:
    """Store events that this process reads from the spool. Those that cannot be read are among the failed ones."""
    messages = []
    unread: list[int] = []
    for run in runs:
        try:
            messages += run.messages(read_extent(slot_directory(spool, run.extent), run.extent))
        except QueueUnavailableError as exc:
            action = "Repair the disk: the events stay in the spool, and are read again in a while."
            _log.error("spool_unreadable", extra={"reason": str(exc), "events": run.count, "action": action})
            unread += run.numbers
    reply = _store(to_sqs_event(messages)["Records"], handler) if messages else {"result": {"batchItemFailures": []}}
    if "result" in reply:
        failed = [*reply["result"]["batchItemFailures"], *({"itemIdentifier": str(number)} for number in unread)]
        return {"result": {"batchItemFailures": failed}}
    return reply


def _store(records: list[Any], handler: ConsumeHandler) -> Document:
    try:
        return {"result": handler({"Records": records}, LambdaContext("consume_events", records[0]["receiptHandle"]))}
    except StoreUnavailableError as exc:
        return _unavailable(exc)
    except Exception as exc:  # noqa: BLE001 - a bug must not end the process: the service retries the batch
        action = "Report the bug with this stack trace; the messages are retried, then dead-lettered."
        _log.exception("batch_failed", extra={"messages": len(records), "action": action})
        return {"failed": repr(exc)}


def _integrate(ledger: EventOrder) -> Document:
    try:
        return {"result": ledger.integrate()}
    except StoreUnavailableError as exc:
        return _unavailable(exc)
    except Exception:  # noqa: BLE001 - a bug must not end the process: the integrator logs it, and tries again
        return {"failed": traceback.format_exc()}


def _unavailable(error: StoreUnavailableError) -> Document:
    cause = cause_of(error) if error.__cause__ else None
    return {"store_unavailable": {"message": str(error), "cause": cause}}


def _beat(descriptor: int) -> None:
    never, service = Flag(), os.getppid()
    while os.getppid() == service:
        heartbeat.give_sign(descriptor)
        never.wait(heartbeat.SECONDS)
    # The service was killed, so the channel has ended. A batch in a database that hangs must not keep this process.
    never.wait(_ORPHAN_SECONDS)
    os._exit(0)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
