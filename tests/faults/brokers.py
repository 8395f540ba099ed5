"""Faults beyond one machine: workers that die, servers that come and go, messages that are redelivered repeatedly."""

import random
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from core.settings import Settings
from core.wiring import Services
from tests.faults.load import AcceptanceRecorder, Load, Verdict, judge, new_event
from tests.faults.servers import PostgreSQL, RabbitMQ, Server, running
from tests.support.kafka_cluster import NODES, TOPIC, KafkaCluster, kafka_cluster
from tests.support.service import AUDIT_LOG, Service, free_port
from tests.support.waiting import until

SECRET = "the-fault-runs-sign-their-tokens-with-this"
RATE = 200.0
MOST_DELIVERIES = 5


@dataclass
class Cluster:
    """A service on a broker and PostgreSQL: hosts that take events in, and workers that store them."""

    directory: Path
    database: Server
    broker: Server | KafkaCluster
    apis: list[Service]
    workers: list[Service]

    @property
    def settings(self) -> dict[str, str]:
        """Settings of all its processes."""
        return {"database_url": self.database.url, "queue_url": self.broker.url, "jwt_secret": SECRET}

    def services(self) -> Services:
        """The parts that its processes are made of."""
        return Services(
            Settings.from_environ({f"AUDIT_LOG_{name.upper()}": value for name, value in self.settings.items()})
        )

    def start_api(self) -> Service:
        """One more host that takes events in; it comes up by and by."""
        self.apis.append(self._started("serve"))
        return self.apis[-1]

    def start_worker(self) -> Service:
        """One more host that stores them; it comes up by and by."""
        self.workers.append(self._started("worker"))
        return self.workers[-1]

    def kill_worker(self, worker: Service) -> None:
        """End it without a chance to finish anything."""
        worker.stop(signal.SIGKILL)
        self.workers.remove(worker)

    def _started(self, command: str) -> Service:
        port = free_port()
        return Service([AUDIT_LOG, command, "--port", str(port)], port, self.directory / "data", self.settings)


@contextmanager
def cluster(
    apis: int = 1, workers: int = 2, kind: type[Server] = RabbitMQ, nodes: KafkaCluster | None = None
) -> Iterator[Cluster]:
    """A cluster of this size, on a separate broker of this kind or on running nodes of Kafka."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="audit-log-cluster-")))
        database = stack.enter_context(running(PostgreSQL))
        broker = nodes or stack.enter_context(running(kind))
        made = Cluster(directory, database, broker, [], [])
        stack.callback(lambda: [process.stop() for process in (*made.workers, *made.apis)])
        for _ in range(apis):
            made.start_api()
        for _ in range(workers):
            made.start_worker()
        for process in (*made.apis, *made.workers):
            process.wait_until_up()
        yield made


def killed_workers(rounds: int, kind: type[Server] = RabbitMQ) -> Verdict:
    """Kill a worker in mid-batch, again and again, while events come in."""
    with cluster(kind=kind) as made:
        token, _ = made.services().issuer.issue("faults")
        with Load([api.url for api in made.apis], token, rate=RATE) as load:
            for _ in range(rounds):
                victim = random.choice(made.workers)  # noqa: S311 - no secret
                before = stored_by(victim)
                until(lambda worker=victim, count=before: stored_by(worker) > count, "a stored batch")  # type: ignore[misc]  # mypy cannot infer defaults
                time.sleep(random.uniform(0, 0.05))  # noqa: S311 - the same
                made.kill_worker(victim)
                made.start_worker().wait_until_up()
        return judge(load.recorder, made.database.url)


def restarted_servers(rounds: int, kind: type[Server] = RabbitMQ) -> Verdict:
    """Restart PostgreSQL and the broker in turn while events come in, now politely, now by kill -9."""
    with cluster(kind=kind) as made:
        broker = made.broker
        assert isinstance(broker, Server)
        token, _ = made.services().issuer.issue("faults")
        with Load([api.url for api in made.apis], token, rate=RATE) as load:
            for number in range(2 * rounds):
                server = (made.database, broker)[number % 2]
                # PostgreSQL shuts down fast at SIGINT; at SIGTERM it would wait for its clients to go.
                polite = signal.SIGINT if server is made.database else signal.SIGTERM
                server.stop(polite if number % 4 < 2 else signal.SIGKILL)
                time.sleep(random.uniform(0.5, 2))  # noqa: S311 - no secret
                server.start()
                until(load.goes_on(), "an accepted event")
        return judge(load.recorder, made.database.url)


def killed_nodes(rounds: int) -> Verdict:
    """Kill one of three nodes of Kafka, let it lose its messages, and start it again, while events come in."""
    with kafka_cluster() as nodes, cluster(nodes=nodes) as made:
        token, _ = made.services().issuer.issue("faults")
        with Load([api.url for api in made.apis], token, rate=RATE) as load:
            for _ in range(rounds):
                node = random.choice(NODES)  # noqa: S311 - no secret
                nodes.kill(node)
                until(load.goes_on(by=100), "an accepted event")
                nodes.lose_logs(node, TOPIC)
                nodes.start(node)
                nodes.wait_for(TOPIC, in_sync=len(NODES))
        return judge(load.recorder, made.database.url)


def redelivery_storm(rounds: int) -> Verdict:
    """Deliver each of 100 messages a round one to five times, shuffled, to two workers at once."""
    recorder = AcceptanceRecorder()
    made_events = [new_event(recorder) for _ in range(100 * rounds)]
    deliveries = [event for event in made_events for _ in range(random.randint(1, MOST_DELIVERIES))]  # noqa: S311 - no secret
    random.shuffle(deliveries)
    with cluster(apis=0) as made:
        services = made.services()
        for start in range(0, len(deliveries), 500):
            services.publisher.publish(deliveries[start : start + 500])
        recorder.acknowledged |= dict.fromkeys(recorder.sent, time.monotonic())
        verdict = judge(recorder, made.database.url)
        until(
            lambda: sum(_count(worker, "duplicate") for worker in made.workers) == len(deliveries) - len(made_events),
            "every repeat",
        )
        services.close()
        return verdict


def stored_by(worker: Service) -> int:
    """How many events a worker has stored."""
    return _count(worker, "stored")


def _count(worker: Service, outcome: str) -> int:
    name = f'audit_log_events_total{{outcome="{outcome}"}} '
    lines = httpx.get(f"{worker.url}/metrics", timeout=10).text.splitlines()
    return next(int(float(line.removeprefix(name))) for line in lines if line.startswith(name))
