"""Requests of one turn of the event loop share one write, and none is answered 202 before it."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from threading import Event as Flag
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from prometheus_client import CollectorRegistry

from core.domain.models import Event
from core.settings import Settings
from core.wiring import Services
from local_runner.http.application import Application
from local_runner.http.dispatcher import Dispatcher
from local_runner.http.protocol import HTTPProtocol
from local_runner.queue.group_commit import GroupCommit
from local_runner.queue.memory import InMemoryQueue
from local_runner.spool.disk_spool import DiskSpool
from local_runner.telemetry.meter import PrometheusMeter
from local_runner.telemetry.requests import RequestMetrics
from tests.support.builders import event, new_event
from tests.support.fakes import FakeClock, FakeDeadLetters
from tests.support.spooling import FaultyDisk
from tests.support.waiting import SECONDS

EVENT_ID = "018f6b2e-7c1a-7d3e-9f00-0123456789ab"
CUSTOMER = 7
COUNT = "audit_log_http_request_seconds_count"

Answer = tuple[int, dict[str, Any]]


class Connection:
    """A connection whose transport keeps what it is sent."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.sent = b""
        self.closed = False
        transport = SimpleNamespace(
            get_extra_info=lambda _: ("192.0.2.1", 1),
            write=self._write,
            close=self._close,
            pause_reading=lambda: None,
            resume_reading=lambda: None,
            get_write_buffer_size=lambda: 0,
            can_write_eof=lambda: True,
        )
        state = SimpleNamespace(connections=set(), default_headers=[])
        self.protocol = HTTPProtocol(SimpleNamespace(loaded_app=dispatcher), state, {})  # type: ignore[arg-type]  # stand-ins
        self.protocol.connection_made(transport)  # type: ignore[arg-type]  # the same

    def _write(self, content: bytes) -> None:
        self.sent += content

    def _close(self) -> None:
        self.closed = True

    def answers(self) -> list[Answer]:
        """Return status and JSON of each response."""
        found: list[Answer] = []
        rest = self.sent
        while rest:
            head, _, rest = rest.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")
            length = next(int(line.partition(":")[2]) for line in lines if line.startswith("Content-Length:"))
            found.append((int(lines[0].split()[1]), json.loads(rest[:length])))
            rest = rest[length:]
        return found


class Service:
    """The accepting half of a service over a disk that can fail."""

    def __init__(self, settings: Settings, directory: Path, mode: Literal["process", "disk"]) -> None:
        self.faulty = FaultyDisk()
        self.spool = DiskSpool(directory / "spool", mode, disk=self.faulty.disk)
        self.queue = InMemoryQueue(FakeDeadLetters(), spool=self.spool)
        self.group = GroupCommit(self.queue, in_thread=mode == "disk")
        self.registry = CollectorRegistry()
        self.clock = FakeClock()
        self.services = Services(
            settings, publisher=self.group, commit_group=self.group, meter=PrometheusMeter(self.registry)
        )
        self.token, _ = self.services.issuer.issue("tests", customers=[CUSTOMER])
        assert self.services.verifier.verify(self.token)  # with the time of the token
        self.services.clock = self.clock
        application = Application(self.services, requests=RequestMetrics(self.registry, []))
        self.dispatcher = Dispatcher(application, on_stop=lambda: None, group=self.group)

    def post(self, customer: int = CUSTOMER, **fields: object) -> bytes:
        body = json.dumps(new_event(customer_id=customer, **fields)).encode()
        head = f"POST /event HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.token}\r\n"
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    def counted(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0

    def published(self) -> list[Event]:
        return [Event.model_validate_json(message.body) for message in self.queue.receive(100, wait=0)]

    def close(self) -> None:
        self.group.close()
        self.spool.close()


@pytest.fixture(params=["process", "disk"])
def service(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Iterator[Service]:
    service = Service(settings, tmp_path, request.param)
    yield service
    service.close()


def in_loop(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), SECONDS))


async def answered(*connections: Connection, count: int = 1) -> None:
    await until(lambda: all(len(connection.answers()) >= count for connection in connections))


async def until(condition: Callable[[], object]) -> None:
    """Let the event loop turn until `condition` holds."""
    while not condition():  # noqa: ASYNC110 - each look is a turn
        await asyncio.sleep(0)


def test_the_requests_of_a_turn_share_a_write_which_comes_before_all_responses(service: Service) -> None:
    async def test() -> None:
        connections = [Connection(service.dispatcher) for _ in range(20)]
        writes = service.faulty.writes
        for connection in connections:
            connection.protocol.data_received(service.post())
        assert service.faulty.writes == writes
        assert not any(connection.sent for connection in connections)
        await answered(*connections)
        assert service.faulty.writes == writes + 1
        ids = {answer["event_id"] for connection in connections for status, answer in connection.answers()}
        assert ids == {found.event_id for found in service.published()}
        assert len(ids) == 20
        assert service.counted("audit_log_events_total", outcome="accepted") == 20

    in_loop(test)


def test_a_failed_write_turns_each_held_response_into_a_503(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "audit_log.request")

    async def test() -> None:
        service.faulty.room = 100  # a part of the write
        connections = [Connection(service.dispatcher) for _ in range(5)]
        for connection in connections:
            connection.protocol.data_received(service.post())
        await answered(*connections)
        for connection in connections:
            [(status, problem)] = connection.answers()
            assert (status, "nothing was accepted" in problem["detail"]) == (503, True)
            assert b"\r\nRetry-After: " in connection.sent
        assert service.counted(COUNT, route="/event", method="POST", status="5xx") == 5
        assert service.counted(COUNT, route="/event", method="POST", status="2xx") == 0
        assert service.counted("audit_log_events_total", outcome="accepted") == 0
        assert {vars(record)["status"] for record in caplog.records if record.name == "audit_log.request"} == {503}
        assert service.queue.depth == 0

        service.faulty.room = 1 << 40
        for connection in connections:
            connection.protocol.data_received(service.post())
        await answered(*connections, count=2)
        assert [[status for status, _ in connection.answers()] for connection in connections] == [[503, 202]] * 5
        assert len(service.published()) == 5

    in_loop(test)


def test_a_request_that_published_nothing_keeps_its_response_when_the_write_fails(service: Service) -> None:
    async def test() -> None:
        service.faulty.room = 0
        accepted, forbidden, invalid = (Connection(service.dispatcher) for _ in range(3))
        accepted.protocol.data_received(service.post())
        forbidden.protocol.data_received(service.post(customer=CUSTOMER + 1))
        invalid.protocol.data_received(service.post(event_data={}))
        await answered(accepted, forbidden, invalid)
        assert [each.answers()[0][0] for each in (accepted, forbidden, invalid)] == [503, 403, 422]

    in_loop(test)


def test_requests_that_are_sent_ahead_are_answered_in_their_order(service: Service) -> None:
    async def test() -> None:
        connection = Connection(service.dispatcher)
        numbers = [*range(30)]
        connection.protocol.data_received(b"".join(service.post(event_data={"number": number}) for number in numbers))
        await answered(connection, count=len(numbers))
        data = {found.event_id: found.event_data for found in service.published()}
        assert [data[answer["event_id"]] for _, answer in connection.answers()] == [{"number": n} for n in numbers]

    in_loop(test)


def test_a_conflict_within_a_turn_is_refused_and_a_repeat_published_once(service: Service) -> None:
    async def test() -> None:
        first, repeat, other = (Connection(service.dispatcher) for _ in range(3))
        first.protocol.data_received(service.post(event_id=EVENT_ID))
        repeat.protocol.data_received(service.post(event_id=EVENT_ID))
        other.protocol.data_received(service.post(event_id=EVENT_ID, event_data={"other": True}))
        await answered(first, repeat, other)
        assert [each.answers()[0][0] for each in (first, repeat, other)] == [202, 202, 422]
        assert len(service.published()) == 1
        assert service.counted("audit_log_events_total", outcome="duplicate") == 1

    in_loop(test)


def test_an_event_that_was_not_written_is_not_remembered(service: Service) -> None:
    async def test() -> None:
        service.faulty.room = 0
        first, other = (Connection(service.dispatcher) for _ in range(2))
        first.protocol.data_received(service.post(event_id=EVENT_ID))
        other.protocol.data_received(service.post(event_id=EVENT_ID, event_data={"other": True}))
        await answered(first, other)
        assert [each.answers()[0][0] for each in (first, other)] == [503, 503]
        service.faulty.room = 1 << 40
        other.protocol.data_received(service.post(event_id=EVENT_ID, event_data={"other": True}))
        await answered(other, count=2)
        assert [found.event_data for found in service.published()] == [{"other": True}]

    in_loop(test)


def test_a_connection_that_is_gone_loses_its_response_and_not_its_event(service: Service) -> None:
    async def test() -> None:
        gone, stays = (Connection(service.dispatcher) for _ in range(2))
        for connection in (gone, stays):
            connection.protocol.data_received(service.post())
        gone.protocol.connection_lost(None)
        await answered(stays)
        assert gone.sent == b""
        assert len(service.published()) == 2

    in_loop(test)


def test_a_client_that_sends_no_more_gets_its_response(service: Service) -> None:
    async def test() -> None:
        connection = Connection(service.dispatcher)
        connection.protocol.data_received(service.post())
        connection.protocol.eof_received()
        await answered(connection)
        assert connection.answers()[0][0] == 202
        assert connection.closed

    in_loop(test)


def test_the_next_turn_gathers_while_the_disk_syncs(settings: Settings, tmp_path: Path) -> None:
    service = Service(settings, tmp_path, "disk")
    disk, go_on, syncs = service.faulty, Flag(), []
    sync = disk.disk.sync

    def slow_sync(descriptor: int) -> None:
        syncs.append(descriptor)
        assert go_on.wait(SECONDS)
        sync(descriptor)

    object.__setattr__(disk.disk, "sync", slow_sync)

    async def test() -> None:
        early, late, later = (Connection(service.dispatcher) for _ in range(3))
        early.protocol.data_received(service.post())
        await until(lambda: syncs)
        for connection in (late, later):
            connection.protocol.data_received(service.post())
            await asyncio.sleep(0)
        assert not any(connection.sent for connection in (early, late, later))
        go_on.set()
        await answered(early, late, later)
        assert len(service.published()) == 3

    in_loop(test)
    assert len(syncs) <= 3  # the first, with that of the directory, and one for both others
    service.close()


def test_a_publish_of_another_thread_is_written_when_it_returns(service: Service) -> None:
    service.services.acceptance.publish([event(1)])
    assert len(service.published()) == 1
