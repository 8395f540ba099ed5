"""`audit-log serve` and `audit-log worker` on a real broker, as separate processes."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from core.queues.rabbitmq import RabbitMQPublisher, RabbitMQSource
from tests.support import forked, sqs
from tests.support.builders import event
from tests.support.rabbitmq import queue_url
from tests.support.service import AUDIT_LOG, Service, environment, free_port, free_ports, get
from tests.support.waiting import SECONDS, until

SECRET = "Hq7-the-hosts-of-these-tests-share-this-one"
BUSY_SECONDS = 6  # more than uvicorn gives a process by default

Settings = dict[str, str]


@pytest.fixture
def settings() -> Iterator[Settings]:
    with queue_url() as url:
        yield {"queue_url": url, "jwt_secret": SECRET}


def start(tmp_path: Path, settings: Settings, command: str, *options: str) -> Service:
    port = free_port()
    return Service(
        [AUDIT_LOG, command, "--port", str(port), *options], port, tmp_path / "data", settings
    ).wait_until_up()


def run(tmp_path: Path, settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return forked.run([AUDIT_LOG, *arguments], env=environment(tmp_path / "data", **settings))


def test_an_event_goes_from_one_host_to_another_and_is_found(tmp_path: Path, settings: Settings) -> None:
    with (
        start(tmp_path, settings, "serve", "--workers", "2") as api,
        start(tmp_path, settings, "worker"),
        api.client() as client,
    ):
        answers = [client.post("/event", json=event_body(number)) for number in range(20)]
        assert [answer.status_code for answer in answers] == [202] * 20
        until(lambda: client.get("/event").json()["total_count"] == 20)


def test_an_event_goes_from_one_host_to_another_over_sqs(tmp_path: Path) -> None:
    with (
        sqs.queue_url() as url,
        start(tmp_path, {"queue_url": url, "jwt_secret": SECRET}, "serve") as api,
        start(tmp_path, {"queue_url": url, "jwt_secret": SECRET}, "worker") as worker,
        api.client() as client,
    ):
        answers = [client.post("/event", json=event_body(number)) for number in range(5)]
        assert [answer.status_code for answer in answers] == [202] * 5
        until(lambda: client.get("/event").json()["total_count"] == 5)
        queue = get(f"{worker.url}/ready").json()["checks"]["queue"]
        assert queue == {"status": "ok", "waiting": 0, "dead_letters": 0}
        assert worker.stop(signal.SIGTERM) == 0
        assert "Traceback" not in worker.log + api.log


def test_a_worker_that_is_asked_to_stop_finishes_its_batch_and_leaves_the_rest(
    tmp_path: Path, settings: Settings
) -> None:
    publisher = RabbitMQPublisher(settings["queue_url"])
    with start(tmp_path, settings, "worker") as first:
        publisher.publish([event(number) for number in range(3000)])
        until(lambda: stored(first))
        assert first.stop(signal.SIGTERM) == 0
        assert "Traceback" not in first.log
    publisher.statistics()
    with start(tmp_path, settings, "serve") as api, api.client() as client:
        before = client.get("/event?event_data.number=2999").json()
        with start(tmp_path, settings, "worker"):
            until(lambda: client.get("/event?event_data.number=2999").json()["count"] == 1, shown=lambda: before)
            assert client.get("/event").json()["total_count"] == 3000
    publisher.close()


def test_a_worker_shows_how_it_is_and_serves_nothing_else(tmp_path: Path, settings: Settings) -> None:
    with start(tmp_path, settings, "worker") as worker:
        assert get(f"{worker.url}/health").json()["status"] == "ok"
        ready = get(f"{worker.url}/ready").json()
        assert (ready["status"], sorted(ready["checks"])) == (
            "ready",
            ["alert_rules", "consumer", "ledger", "migrations", "queue", "signing", "store", "streams"],
        )
        metrics = get(f"{worker.url}/metrics").text
        assert 'audit_log_events_total{outcome="stored"} 0.0' in metrics
        assert "audit_log_unaccounted_events 0.0" in metrics
        assert get(f"{worker.url}/event").status_code == 404


def test_what_cannot_be_stored_is_listed_shown_beside_what_is_stored_and_put_back(
    tmp_path: Path, settings: Settings
) -> None:
    publisher, source = RabbitMQPublisher(settings["queue_url"]), RabbitMQSource(settings["queue_url"], max_receives=1)
    publisher.publish([event(1, event_type="another")])
    source.retry_after([message.receipt_handle for message in source.receive(1, wait=SECONDS)], 0)
    source.close()
    publisher.publish([event(1)])
    with start(tmp_path, settings, "worker") as worker:
        until(lambda: stored(worker))
        letters = until(lambda: dead_letters(tmp_path, settings))
        assert [letter["event"]["event_type"] for letter in letters] == ["another"]
        shown = orjson.loads(run(tmp_path, settings, "dead-letters", "show", event(1).event_id).stdout)
        assert shown["event"]["event_type"] == "another"
        assert shown["stored"]["event_type"] == event(1).event_type
    # The worker would give it up again.
    assert run(tmp_path, settings, "dead-letters", "redrive").stdout == "1 put back\n"
    assert dead_letters(tmp_path, settings) == []
    publisher.close()


@pytest.mark.parametrize(
    ("command", "settings", "told"),
    [
        (["worker"], {}, "a worker needs a broker"),
        (["serve", "--workers", "2"], {}, "leave --workers out"),
        (["serve"], {"queue_url": "amqp://guest:hidden-word@127.0.0.1"}, "with the same key"),
        (["worker"], {"queue_url": "mqtt://guest:hidden-word@127.0.0.1"}, "there is no queue for mqtt://"),
    ],
)
def test_what_does_not_fit_together_is_refused_in_one_line(
    tmp_path: Path, command: list[str], settings: Settings, told: str
) -> None:
    refused = run(tmp_path, settings, *command, "--port", str(free_port()))
    assert refused.returncode == 1
    assert told in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert "hidden-word" not in refused.stderr


def test_events_are_refused_with_retry_after_while_the_broker_is_away(tmp_path: Path) -> None:
    settings = {"queue_url": f"amqp://guest:hidden-word@127.0.0.1:{free_port()}/", "jwt_secret": SECRET}
    with start(tmp_path, settings, "serve") as api, api.client() as client:
        answer = client.post("/event", json=event_body(1))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert client.get("/ready").status_code == 503
        assert "hidden-word" not in answer.text + client.get("/ready").text + api.log


def test_each_of_several_processes_has_its_metrics_on_a_port_of_its_own(tmp_path: Path, settings: Settings) -> None:
    def processes() -> set[tuple[int, float]]:
        starts = {port: started_at(port) for port in ports}  # two may have been started at one moment
        return {(port, start) for port, start in starts.items() if start}

    ports = free_ports(2)
    with start(tmp_path, settings, "serve", "--workers", "2", "--metrics-port", str(ports.start)) as api:
        before = until(lambda: len(found := processes()) == 2 and found)
        os.kill(max(api.workers), signal.SIGKILL)
        after = until(lambda: len(found := processes()) == 2 and found != before and found)
        assert after, api.log
        assert len(before & after) == 1
        assert get(f"http://127.0.0.1:{ports.start}/ready").json()["status"] == "ready"


def test_one_of_several_processes_that_dies_is_started_again(tmp_path: Path, settings: Settings) -> None:
    with start(tmp_path, settings, "serve", "--workers", "2") as api:
        before = until(lambda: len(found := api.workers) == 2 and found)
        killed = max(before)
        os.kill(killed, signal.SIGKILL)
        after = until(lambda: len(found := api.workers) == 2 and killed not in found and found)
        assert after, api.log
        assert after >= before - {killed}
        assert get(f"{api.url}/health").status_code == 200


def test_one_of_several_processes_that_is_busy_for_some_seconds_is_left_alone(
    tmp_path: Path, settings: Settings
) -> None:
    with start(tmp_path, settings, "serve", "--workers", "2") as api:
        before = until(lambda: len(found := api.workers) == 2 and found)
        os.kill(max(before), signal.SIGSTOP)
        time.sleep(BUSY_SECONDS)
        os.kill(max(before), signal.SIGCONT)
        time.sleep(1)
        assert api.workers == before


def event_body(number: int) -> dict[str, Any]:
    return {"event_type": "worker", "customer_id": 1, "event_data": {"number": number}}


def started_at(port: int) -> float:
    """When the process behind this metrics port was started; 0: there is none, or none that reaches its queue."""
    try:
        metrics = get(f"http://127.0.0.1:{port}/metrics").text
    except httpx.TransportError:
        return 0.0
    found = re.search(r"^process_start_time_seconds (\S+)$", metrics, re.MULTILINE)
    return float(found[1]) if found and 'audit_log_check_ok{check="queue"} 1.0' in metrics else 0.0


def stored(worker: Service) -> bool:
    return 'audit_log_events_total{outcome="stored"} 0.0' not in get(f"{worker.url}/metrics").text


def dead_letters(tmp_path: Path, settings: Settings) -> list[dict[str, Any]]:
    listed = run(tmp_path, settings, "dead-letters", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    return [orjson.loads(line) for line in listed.stdout.splitlines()]
