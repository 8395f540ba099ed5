"""The management port: the metrics that a scrape shows of a real pipeline, and the port's number."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from core.ports.queue import QueueStatistics
from core.settings import Settings
from core.wiring import Services
from local_runner.background.management import ManagementServer
from local_runner.http.sockets import bind_first_free
from local_runner.queue.consumer import ConsumerLimits
from local_runner.queue.dead_letters import FILE_NAME
from local_runner.telemetry.resources import memory_limit
from tests.support.builders import event
from tests.support.pipelines import start_pipeline
from tests.support.service import free_port, get
from tests.support.skipping import skip_or_fail
from tests.support.waiting import until

QUICK = ConsumerLimits(batch_window=0, poll=0.01, first_retry=0.01)


class Running:
    """A pipeline with its monitor on a free port."""

    def __init__(self, settings: Settings) -> None:
        self.monitor = ManagementServer()
        self.pipeline = start_pipeline(settings, consumer_limits=QUICK, meter=self.monitor.meter)
        listener = bind_first_free("127.0.0.1", [0])
        self.url = "http://{}:{}".format(*listener.getsockname())
        self.monitor.serve(listener, self.pipeline.services, restarts=lambda: self.pipeline.restarts)

    def scrape(self) -> dict[tuple[str, str], float]:
        """Values by name and label values, separated by commas."""
        text = get(f"{self.url}/metrics").text
        return {
            (sample.name, ",".join(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def until(self, name: str, labels: str, value: float) -> dict[tuple[str, str], float]:
        until(lambda: self.scrape().get((name, labels)) == value, shown=self.scrape)
        return self.scrape()

    def ready(self) -> tuple[int, str, list[str]]:
        """The status code, the word for it, and the checks that fail."""
        answer = get(f"{self.url}/ready")
        checks = answer.json()["checks"]
        failing = [name for name, outcome in checks.items() if outcome["status"] != "ok"]
        return answer.status_code, answer.json()["status"], failing

    def close(self) -> None:
        self.pipeline.close()
        self.monitor.close()


@pytest.fixture
def running(settings: Settings) -> Iterator[Running]:
    running = Running(settings)
    yield running
    running.close()


def test_a_scrape_shows_events_queue_checks_and_resources(running: Running) -> None:
    running.pipeline.services.acceptance.publish([event(1), event(2), event(2, event_type="conflicting")])

    shown = running.until("audit_log_dead_letters", "", 1)

    assert shown["audit_log_events_total", "accepted"] == 3
    assert shown["audit_log_events_total", "stored"] == 2
    assert shown["audit_log_events_total", "conflict"] == 5
    assert shown["audit_log_events_total", "retried"] == 4
    assert shown["audit_log_batch_events_count", ""] >= 5
    assert shown["audit_log_accepted_to_stored_seconds_count", ""] == 2
    assert shown["audit_log_queue_waiting", ""] == 0
    assert shown["audit_log_queue_capacity", ""] == 1_000_000
    assert shown["audit_log_spool_max_bytes", ""] == 1024**3
    assert shown["audit_log_consumer_restarts_total", ""] == 0
    assert shown["audit_log_unaccounted_events", ""] == 0
    assert running.until("audit_log_ledger_size", "", 2)["audit_log_ledger_oldest_pending_seconds", ""] == 0
    assert {labels for name, labels in shown if name == "audit_log_check_ok"} == {
        "queue", "spool", "dead_letters", "consumer", "store", "ledger", "signing", "history", "migrations",
        "streams",
        "alert_rules",
    }  # fmt: skip
    for name in ("process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total"):
        assert shown[name, ""] > 0
    assert 0 < shown["audit_log_data_dir_free_bytes", ""] <= shown["audit_log_data_dir_size_bytes", ""]
    assert shown["audit_log_memory_limit_bytes", ""] > shown["process_resident_memory_bytes", ""]


@pytest.mark.parametrize(
    "path", ["/metrics/", "/metrics/health", "/health/metrics", "/metrics" + "/" * 60_000], ids=len
)
def test_no_other_path_shows_the_metrics(running: Running, path: str) -> None:
    answer = get(running.url + path)
    assert answer.status_code == 404
    assert answer.json()["detail"] == "There is no such path: there are /health, /ready, /metrics."


def test_dead_letters_that_cannot_be_read_leave_the_service_in_rotation(running: Running, settings: Settings) -> None:
    assert running.ready() == (200, "ready", [])
    (settings.data_dir / FILE_NAME).write_bytes(b"no database, but as long as the header of one has to be" * 20)

    assert running.ready() == (200, "degraded", ["dead_letters"])
    shown = running.scrape()
    assert shown["audit_log_check_ok", "dead_letters"] == 0
    assert shown["audit_log_check_ok", "queue"] == 1
    assert ("audit_log_dead_letters", "") not in shown
    assert shown["audit_log_unaccounted_events", ""] != shown["audit_log_unaccounted_events", ""]  # NaN


def test_a_check_with_a_bug_hides_nothing_else(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> dict[str, object]:
        raise ZeroDivisionError

    monitor = ManagementServer()
    services = Services(settings, queue_statistics=lambda: QueueStatistics(waiting=3), checks={"store": broken})
    monitor.watch(services, restarts=None)
    value = monitor.registry.get_sample_value
    assert value("audit_log_check_ok", {"check": "store"}) == 0
    assert value("audit_log_check_ok", {"check": "queue"}) == 1
    assert value("audit_log_queue_waiting") == 3
    assert value("audit_log_queue_capacity") is None
    assert any(record.exc_info for record in caplog.records)


def test_a_disk_without_room_takes_the_service_out_of_rotation(settings: Settings, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], check=False).returncode:
        skip_or_fail("needs root, to mount a small file system in memory")
    try:
        running = Running(settings.model_copy(update={"data_dir": disk}))
        assert running.ready()[0] == 200
        with suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
            while filler.write(bytes(4096)):
                pass
        status, word, failing = running.ready()
        (disk / "filler").unlink()
        assert (status, word) == (503, "unavailable")
        assert "queue" in failing
        assert running.ready() == (200, "ready", [])
        running.close()
    finally:
        subprocess.run(["umount", disk], check=True)


def test_the_next_port_is_taken_where_one_is_not_free() -> None:
    first = free_port()
    with bind_first_free("127.0.0.1", [first]) as taken, bind_first_free("127.0.0.1", [first, 0]) as listener:
        assert taken.getsockname()[1] == first
        assert listener.getsockname()[1] != first
        with pytest.raises(OSError, match="in use"):
            bind_first_free("127.0.0.1", [first])


def test_the_memory_of_a_container_is_its_limit(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    machine = memory_limit(limit)
    limit.write_text("max\n")
    assert memory_limit(limit) == machine
    limit.write_text("1048576\n")
    assert memory_limit(limit) == 1024 * 1024
