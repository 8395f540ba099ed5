"""The process that stores: whatever happens to it, every accepted event is stored once."""

import os
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from core.errors import StoreUnavailableError
from core.ports.queue import Message
from core.settings import Settings
from local_runner.aws_events.sqs_event import to_sqs_event
from local_runner.bootstrap import open_database, prepare
from local_runner.queue.consumer import ConsumerLimits
from local_runner.queue.storing_channel import (
    Batch,
    ChannelClosedError,
    receive,
    receive_batch,
    send,
    send_batch,
    send_integrate,
)
from local_runner.queue.storing_process import StoringFailedError, StoringProcess, StoringProcessError
from local_runner.queue.visibility import QueueLimits
from local_runner.telemetry.meter import PrometheusMeter
from tests.support.builders import event
from tests.support.crashing_storing import DEADLY
from tests.support.pipelines import start_pipeline
from tests.support.waiting import SECONDS, until


class Storing(StoringProcess):
    """Counts the events that it has given an index."""

    indices = 0

    def integrate(self) -> int:
        events = super().integrate()
        self.indices += events
        return events


class Running:
    """A pipeline with a storing process."""

    def __init__(self, settings: Settings, module: str = "local_runner.queue.storing_main", **options: Any) -> None:
        self.settings = settings
        self.registry = CollectorRegistry()
        self.storing = Storing(settings, PrometheusMeter(self.registry), module)
        self.pipeline = start_pipeline(settings, storing=self.storing, **options)

    def publish(self, *numbers: int) -> None:
        self.pipeline.services.acceptance.publish([event(number) for number in numbers])

    def drain(self) -> None:
        until(lambda: not self.pipeline.queue.depth)

    def stored(self) -> int:
        with closing(sqlite3.connect(self.settings.data_dir / "audit-log.db")) as connection:
            return int(connection.execute("SELECT count(*) FROM events").fetchone()[0])

    def complaint(self) -> str:
        """The error of the check; nothing if it succeeds."""
        try:
            self.pipeline.services.checks["consumer"]()
        except StoreUnavailableError as error:
            return str(error)
        return ""


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.fixture
def running(settings: Settings) -> Iterator[Running]:
    running = Running(settings)
    yield running
    running.pipeline.close()
    assert not exists(running.storing.pid)


@pytest.fixture
def storing(settings: Settings) -> Iterator[StoringProcess]:
    open_database(prepare(settings)).close()
    storing = StoringProcess(settings)
    yield storing
    storing.close()


def batch(*bodies: str) -> dict[str, object]:
    return to_sqs_event([Message(str(number), f"receipt {number}", body, 1, 0.0) for number, body in enumerate(bodies)])


def test_another_process_stores_the_events_and_this_one_counts_them(running: Running) -> None:
    running.publish(1, 2, 3)
    running.drain()
    assert running.stored() == 3
    assert running.registry.get_sample_value("audit_log_events_total", {"outcome": "stored"}) == 3
    assert running.registry.get_sample_value("audit_log_accepted_to_stored_seconds_count") == 3
    assert running.complaint() == ""


def test_a_killed_process_is_replaced_and_every_event_is_stored_once(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    number = 0
    for restarts in range(1, 4):
        killed = running.storing.pid
        os.kill(killed, signal.SIGKILL)
        while running.storing.pid == killed:
            number += 1
            running.publish(number)
        assert running.storing.restarts == restarts
    running.drain()
    assert running.stored() == number
    assert [record.message for record in caplog.records].count("storing_process_ended") == 3
    assert running.pipeline.restarts == 3
    assert running.pipeline.services.checks["dead_letters"]() == {"count": 0}


@pytest.mark.parametrize("spool", ["process", "off"])
def test_an_event_that_crashes_the_interpreter_becomes_a_dead_letter_and_the_others_are_stored(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, spool: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    running = Running(
        settings.model_copy(update={"spool": spool}),
        module="tests.support.crashing_storing",
        queue_limits=QueueLimits(max_receives=2),
        consumer_limits=ConsumerLimits(first_retry=0.01, store_retry=0.01, longest_store_retry=0.01, batch_size=20),
    )
    until(lambda: not running.complaint())
    running.pipeline.services.acceptance.publish(
        [event(number, event_type=DEADLY if number == 7 else "harmless") for number in range(20)]
    )
    running.drain()
    assert running.stored() == 19
    assert running.pipeline.services.checks["dead_letters"]() == {"count": 1}
    assert running.storing.restarts >= 3
    running.pipeline.close()


def test_a_hanging_process_is_reported_while_events_are_accepted_and_goes_on(running: Running) -> None:
    running.publish(1)
    running.drain()
    os.kill(running.storing.pid, signal.SIGSTOP)
    until(running.complaint)
    assert "hangs" in running.complaint()
    running.publish(2, 3)
    os.kill(running.storing.pid, signal.SIGCONT)
    running.drain()
    until(lambda: not running.complaint())
    assert running.stored() == 3


def test_a_stop_ends_a_hanging_process_and_leaves_its_events_in_the_spool(settings: Settings) -> None:
    running = Running(settings)
    until(lambda: not running.complaint())
    os.kill(running.storing.pid, signal.SIGSTOP)
    running.publish(1, 2)
    started = time.monotonic()
    running.pipeline.close(timeout=0.2)
    assert time.monotonic() - started < 60  # and not for as long as it hangs
    assert not exists(running.storing.pid)

    again = Running(settings)
    again.drain()
    assert again.stored() == 2
    again.pipeline.close()


def test_signals_for_all_processes_do_not_end_it(running: Running) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # it has only begun to start
        os.kill(running.storing.pid, number)
    running.publish(1)
    running.drain()
    assert (running.stored(), running.storing.restarts) == (1, 0)


def test_it_knows_no_secret_that_signs_tokens(settings: Settings) -> None:
    secret = "a-secret-that-signs-tokens-and-stays-here"
    storing = StoringProcess(settings.model_copy(update={"jwt_secret": secret}))
    environment = Path(f"/proc/{storing.pid}/environ")
    until(lambda: b"AUDIT_LOG_DATA_DIR" in environment.read_bytes())
    assert secret.encode() not in environment.read_bytes()
    storing.close()


def test_a_store_that_cannot_be_reached_is_named_with_its_cause(settings: Settings) -> None:
    away = settings.model_copy(update={"database_url": "postgresql+psycopg://user@127.0.0.1:1/audit"})
    storing = StoringProcess(away)
    with pytest.raises(StoreUnavailableError) as caught:
        storing(batch(event(1).model_dump_json()), None)
    assert "OperationalError" in repr(caught.value.__cause__)
    storing.close()


def test_messages_that_fail_are_named(storing: StoringProcess) -> None:
    first, conflict = event(1).model_dump_json(), event(1, event_type="other").model_dump_json()
    result = storing(batch(first, "no event", conflict), None)
    assert [failed["itemIdentifier"] for failed in result["batchItemFailures"]] == ["1", "2"]


def test_a_bug_fails_the_batch_and_not_the_process(storing: StoringProcess) -> None:
    with pytest.raises(StoringFailedError, match="KeyError"):
        storing({"Records": [{"receiptHandle": "without a body"}]}, None)
    assert storing(batch(event(1).model_dump_json()), None) == {"batchItemFailures": []}
    assert storing.restarts == 0


def test_it_gives_stored_events_their_indices(storing: StoringProcess) -> None:
    storing(batch(event(1).model_dump_json(), event(2).model_dump_json()), None)
    assert [storing.integrate(), storing.integrate()] == [2, 0]


def test_events_of_a_pipeline_get_their_indices_from_it(settings: Settings) -> None:
    given = Flag()
    running = Running(settings, on_indices=given.set)
    running.publish(1, 2, 3)
    until(lambda: running.storing.indices == 3)
    assert given.wait(SECONDS)
    running.pipeline.close()


def test_an_integration_without_a_store_names_the_cause(settings: Settings) -> None:
    storing = StoringProcess(settings.model_copy(update={"database_url": "postgresql+psycopg://user@127.0.0.1:1/a"}))
    with pytest.raises(StoreUnavailableError) as caught:
        storing.integrate()
    assert "OperationalError" in repr(caught.value.__cause__)
    storing.close()


def test_a_bug_fails_the_integration_with_its_stack_trace_and_not_the_process(
    settings: Settings, storing: StoringProcess
) -> None:
    storing(batch(event(1).model_dump_json()), None)
    with closing(sqlite3.connect(settings.data_dir / "audit-log.db")) as connection, connection:
        connection.execute("UPDATE ledger_batches SET size = x'00'")
    with pytest.raises(StoringFailedError, match=r"(?s)Traceback.*integration.py.*TypeError"):
        storing.integrate()
    assert storing(batch(event(2).model_dump_json()), None) == {"batchItemFailures": []}
    assert storing.restarts == 0


def test_no_event_gets_an_index_and_none_fails_while_it_is_replaced(storing: StoringProcess) -> None:
    storing(batch(event(1).model_dump_json()), None)
    os.kill(storing.pid, signal.SIGKILL)
    assert storing.integrate() == 0
    until(lambda: storing.integrate() == 1)


def test_a_batch_that_broke_off_is_not_taken_for_a_part_of_the_next(storing: StoringProcess) -> None:
    records = [*batch(event(1).model_dump_json())["Records"]] * 200  # type: ignore[misc]  # of a dict of objects
    with pytest.raises(TypeError):
        storing({"Records": [*records, object()]}, None)
    until(lambda: storing.restarts)

    def stores() -> bool:
        try:
            return storing(batch(event(2).model_dump_json()), None) == {"batchItemFailures": []}
        except StoringProcessError:
            return False  # the next process is starting

    until(stores)


def test_a_process_that_ended_is_reported(storing: StoringProcess) -> None:
    os.kill(storing.pid, signal.SIGKILL)
    with pytest.raises(StoringProcessError):
        storing(batch(event(1).model_dump_json()), None)


def test_documents_cross_the_channel_as_they_are() -> None:
    here, there = socket.socketpair()
    document = {"text": "é\u2028" * 10_000, "number": 1.5}
    send(here, {"small": True})
    assert receive(there) == {"small": True}
    records = [{"number": number} for number in range(450)]
    send_batch(here, records)
    assert receive_batch(there) == Batch(records, [])
    send_integrate(here)
    assert receive_batch(there) is None
    here.settimeout(SECONDS)
    here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    send(here, document)
    assert receive(there) == document
    here.close()
    with pytest.raises(ChannelClosedError):
        receive(there)
    there.close()


def test_a_channel_that_ends_within_a_document_is_closed() -> None:
    here, there = socket.socketpair()
    here.sendall(b"\0" * 7 + b"\x09" + b'{"a"')
    here.close()
    with pytest.raises(ChannelClosedError):
        receive(there)
    there.close()


def test_a_stop_during_a_restart_leaves_no_process(settings: Settings) -> None:
    storing = StoringProcess(settings)
    killed = storing.pid
    os.kill(killed, signal.SIGKILL)
    until(lambda: storing.pid != killed)
    os.kill(storing.pid, signal.SIGKILL)
    storing.close()
    assert not exists(storing.pid)
