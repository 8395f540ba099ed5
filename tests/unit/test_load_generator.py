from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import typer
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from rich.console import Console
from typer.testing import CliRunner, Result

from local_runner.cli.load_test.command import load_test
from local_runner.cli.load_test.generator import run
from local_runner.cli.load_test.report import render
from local_runner.cli.load_test.results import LoadPlan, LoadReport, LoadTestError
from tests.support.waiting import SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection

REQUESTS = 250  # more than two pages of 100
CONNECTIONS = 4


@dataclass
class FakeService:
    """Keeps the contract, except for the n-th event posted, as configured."""

    token: str | None = "made-up"
    lost: Collection[int] = ()
    repeating: Collection[int] = ()
    refused: Collection[int] = ()
    cut_off: Collection[int] = ()
    late: Collection[int] = ()
    failing_pages: int = 0
    posted: list[dict[str, Any]] = field(default_factory=list)
    stored: list[dict[str, Any]] = field(default_factory=list)
    withheld: list[dict[str, Any]] = field(default_factory=list)
    connections: set[object] = field(default_factory=set)

    async def give_token(self, _: web.Request) -> web.Response:
        return web.json_response({"token": self.token}, status=200 if self.token else 401)

    async def take(self, request: web.Request) -> web.Response:
        event = await request.json()
        number = len(self.posted)
        self.posted.append(event)
        assert request.transport is not None
        self.connections.add(request.transport.get_extra_info("peername"))
        if number in self.cut_off:
            request.transport.close()
        if number in self.refused:
            return web.json_response({}, status=503, headers={"Retry-After": "1"})
        event_id = f"id-{0 if number in self.repeating else number:06}"
        if number not in self.lost:
            (self.withheld if number in self.late else self.stored).append(event | {"event_id": event_id})
        return web.json_response({"event_id": event_id, "status": "queued"}, status=202)

    async def find(self, request: web.Request) -> web.Response:
        if request.headers["Authorization"] != "Bearer made-up":
            return web.json_response({}, status=401)
        if self.posted and self.failing_pages:
            self.failing_pages -= 1
            return web.json_response({}, status=503)
        start, limit = int(request.query.get("cursor", 0)), int(request.query.get("limit", 100))
        found = [event for event in self.stored if event["event_type"] == request.query["event_type"]]
        more = start + limit < len(found)
        if not more:  # withheld events turn up where a reader has already been
            self.stored, self.withheld = self.withheld + self.stored, []
        cursor = str(start + limit) if more else None
        return web.json_response({"events": found[start : start + limit], "next_cursor": cursor})


@asynccontextmanager
async def served(service: FakeService) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/access-token", service.give_token)
    app.router.add_post("/event", service.take)
    app.router.add_get("/event", service.find)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


def load(service: FakeService, on_progress: Callable[[int], None] = lambda _: None, **plan: Any) -> LoadReport:
    async def serve_and_run() -> LoadReport:
        async with served(service) as url:
            return await run(LoadPlan(url, REQUESTS, CONNECTIONS, **{"patience_seconds": 0} | plan), on_progress)

    return asyncio.run(serve_and_run())


def command(service: FakeService, *arguments: str) -> Result:
    app = typer.Typer()
    app.command()(load_test)

    async def serve_and_invoke() -> Result:
        async with served(service) as url:
            return await asyncio.to_thread(CliRunner().invoke, app, ["--url", url, "--requests", "20", *arguments])

    return asyncio.run(serve_and_invoke())


def shown(report: LoadReport) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(render(report))
    return capture.get()


def test_every_accepted_event_is_found_again_over_many_pages() -> None:
    report = load(FakeService())

    assert (report.requests, report.accepted, report.stored, report.missing) == (REQUESTS, REQUESTS, REQUESTS, 0)
    assert report.statuses == {202: REQUESTS}
    assert report.transport_errors == {}
    assert report.seconds_until_visible is not None
    assert "every accepted event was stored" in shown(report)


def test_the_figures_agree_with_each_other() -> None:
    report = load(FakeService())

    assert report.rate == pytest.approx(REQUESTS / report.seconds)
    assert 0 < report.p50_ms <= report.p95_ms <= report.p99_ms <= report.max_ms <= report.seconds * 1_000


def test_an_event_that_was_given_the_id_of_another_is_reported_missing() -> None:
    assert load(FakeService(repeating={117})).missing == 1


def test_an_event_accepted_but_never_stored_is_reported_missing() -> None:
    report = load(FakeService(lost={117}))

    assert (report.accepted, report.stored, report.missing) == (REQUESTS, REQUESTS - 1, 1)
    assert report.seconds_until_visible is None
    assert "1 accepted events were NOT found" in shown(report)


def test_an_event_that_turns_up_late_and_out_of_order_is_waited_for() -> None:
    assert load(FakeService(late={3, 117}), patience_seconds=SECONDS).missing == 0


def test_a_store_that_is_down_for_a_while_is_waited_for() -> None:
    assert load(FakeService(failing_pages=2), patience_seconds=SECONDS).missing == 0


def test_events_of_a_service_that_is_gone_are_not_reported_as_missing() -> None:
    report = load(FakeService(failing_pages=1_000_000))

    assert (report.accepted, report.stored, report.missing, report.unverified) == (REQUESTS, 0, 0, REQUESTS)
    assert "250 accepted events could not be looked for: the service does not answer" in shown(report)
    assert command(FakeService(failing_pages=1_000_000), "--patience", "0").exit_code == 1


def test_refusals_are_counted_and_not_tried_again() -> None:
    service = FakeService(refused=range(0, REQUESTS, 2))

    report = load(service)

    assert report.statuses == {202: REQUESTS // 2, 503: REQUESTS // 2}
    assert len(service.posted) == REQUESTS
    assert (report.accepted, report.missing) == (REQUESTS // 2, 0)
    assert "503 Service Unavailable" in shown(report)


def test_nothing_accepted_is_no_success() -> None:
    report = load(FakeService(refused=range(REQUESTS)))

    assert (report.accepted, report.rate, report.seconds_until_visible) == (0, 0, None)
    assert "no event was accepted" in shown(report)


def test_broken_connections_are_counted_by_their_error() -> None:
    report = load(FakeService(cut_off={5, 6}, lost={5, 6}))

    assert report.transport_errors == {"ServerDisconnectedError": 2}
    assert (report.requests, report.accepted, report.missing) == (REQUESTS, REQUESTS - 2, 0)


def test_the_events_vary_and_share_a_type_that_is_new_in_each_run() -> None:
    service = FakeService()

    load(service)
    first = {event["event_type"] for event in service.posted}
    load(service)

    assert len({json.dumps(event["event_data"]) for event in service.posted}) == REQUESTS
    assert len(first) == 1
    assert len({event["event_type"] for event in service.posted}) == 2


def test_it_posts_over_as_many_connections_as_planned_and_keeps_them() -> None:
    service = FakeService()

    load(service)

    assert len(service.connections) == CONNECTIONS


def test_progress_reaches_the_number_of_requests() -> None:
    seen: list[int] = []
    load(FakeService(), seen.append)

    assert seen == [50, 100, 150, 200, 250, REQUESTS]


def test_a_given_token_is_used_instead_of_asking_for_one() -> None:
    assert load(FakeService(token=None), token="made-up").missing == 0


def test_an_unreachable_service_is_said_to_need_starting() -> None:
    with pytest.raises(LoadTestError, match="start it with `make run`"):
        asyncio.run(run(LoadPlan(f"http://127.0.0.1:{unused_port()}", REQUESTS, CONNECTIONS), lambda _: None))


def test_a_malformed_address_is_said_to_be_one() -> None:
    with pytest.raises(LoadTestError, match="--url"):
        asyncio.run(run(LoadPlan("127.0.0.1:8000", REQUESTS, CONNECTIONS), lambda _: None))


def test_a_service_that_gives_no_token_asks_for_the_option() -> None:
    with pytest.raises(LoadTestError, match="--token"):
        load(FakeService(token=None))


def test_a_refused_token_is_noticed_before_the_load() -> None:
    service = FakeService()

    with pytest.raises(LoadTestError, match="refuses the token"):
        load(service, token="somebody-else")
    assert service.posted == []


def test_the_token_is_not_in_the_plan_as_printed() -> None:
    assert "made-up" not in repr(LoadPlan("http://127.0.0.1", 1, 1, "made-up"))


def test_the_command_shows_the_verdict_or_one_json_object() -> None:
    table, document = command(FakeService()), command(FakeService(), "--json")

    assert (table.exit_code, document.exit_code) == (0, 0)
    assert "every accepted event was stored" in table.stdout
    assert json.loads(document.stdout)["statuses"] == {"202": 20}


def test_the_command_ends_with_1_if_an_accepted_event_is_missing_or_none_was_accepted() -> None:
    assert command(FakeService(lost={7}), "--patience", "0").exit_code == 1
    assert command(FakeService(refused=range(20))).exit_code == 1


def test_the_command_fails_with_a_reason_if_the_service_cannot_be_loaded() -> None:
    result = command(FakeService(token=None))

    assert isinstance(result.exception, LoadTestError)
    assert "pass one with --token" in str(result.exception)
