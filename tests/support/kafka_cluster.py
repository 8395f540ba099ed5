"""A cluster of three real Kafka nodes on loopback, each a broker and a controller, which a test may kill.

Topics have three replicas and `min.insync.replicas=2`: one node may be lost, and with two nothing is confirmed. Each
node takes 192 MB of heap. A node that is gone is noticed after two seconds.
"""

import base64
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.support.kafka_server import installed, java
from tests.support.service import free_port
from tests.support.waiting import until

NODES: Final = (1, 2, 3)
TOPIC: Final = "audit-log.events"

_PROPERTIES: Final = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.heartbeat.interval.ms=300
broker.session.timeout.ms=2000
replica.lag.time.max.ms=2000
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=2097152
num.io.threads=2
num.network.threads=1
"""


class KafkaCluster:
    """Three nodes in a directory. `url` names all of them and the topic `TOPIC`."""

    def __init__(self, directory: Path) -> None:
        """Write the configuration and the storage of each node; nothing is started."""
        self._directory = directory
        self._ports = {node: free_port() for node in NODES}
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        controllers = {node: free_port() for node in NODES}
        voters = ",".join(f"{node}@127.0.0.1:{controllers[node]}" for node in NODES)
        for node in NODES:
            home = directory / str(node)
            shutil.copytree(installed() / "storage", home / "data")
            _rename(home / "data" / "meta.properties", node)
            (home / "server.properties").write_text(
                _PROPERTIES.format(
                    node=node, voters=voters, port=self._ports[node], controller=controllers[node], data=home / "data"
                )
            )
        self.servers = ",".join(f"127.0.0.1:{port}" for port in self._ports.values())
        self.url = f"kafka://{self.servers}/{TOPIC}?session.timeout.ms=2000&heartbeat.interval.ms=200"

    def start(self, *nodes: int) -> None:
        """Start nodes that do not run; they come up by and by."""
        for node in nodes:
            home = self._directory / str(node)
            with (home / "log").open("ab") as log:
                self._processes[node] = subprocess.Popen(
                    [*java(megabytes=192), "kafka.Kafka", str(home / "server.properties")],
                    cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                )  # fmt: skip

    def kill(self, *nodes: int) -> None:
        """End nodes by SIGKILL, as a power cut would."""
        for node in nodes:
            process = self._processes.pop(node)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def lose_logs(self, node: int, topic: str) -> None:
        """Remove the messages of a topic from the disk of a node that was killed."""
        for log in (self._directory / str(node) / "data").glob(f"{topic}-*"):
            shutil.rmtree(log)

    def in_sync(self, topic: str) -> list[int]:
        """Return the number of in-sync replicas of each partition; none if the topic or the cluster is missing."""
        running = ",".join(f"127.0.0.1:{self._ports[node]}" for node in self._processes)
        try:
            found = AdminClient({"bootstrap.servers": running, "log_level": 0}).list_topics(timeout=2).topics.get(topic)
        except KafkaException:
            return []
        return [len(partition.isrs) for partition in found.partitions.values()] if found else []

    def wait_for(self, topic: str, *, in_sync: int) -> None:
        """Wait until each partition of a topic has so many in-sync replicas."""
        awaited = f"{in_sync} in-sync replicas of {topic}"
        until(
            lambda: set(self.in_sync(topic)) == {in_sync},
            awaited,
            shown=lambda: f"{self.in_sync(topic)}\n{self.logs()}",
        )

    def wait_until_up(self) -> None:
        """Wait until all nodes that were started are brokers of one cluster."""
        until(self._is_up, "a cluster of all nodes", shown=self.logs)

    def logs(self) -> str:
        """Return the last lines of each node."""
        return "\n".join((self._directory / str(node) / "log").read_text()[-1000:] for node in NODES)

    def stop(self) -> None:
        """End all nodes."""
        self.kill(*self._processes)

    def _is_up(self) -> bool:
        def brokers(node: int) -> int:
            admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{self._ports[node]}", "log_level": 0})
            try:
                return len(admin.list_topics(timeout=2).brokers)
            except KafkaException:
                return 0

        with ThreadPoolExecutor() as pool:
            return set(pool.map(brokers, self._processes)) == {len(self._processes)}


@contextmanager
def kafka_cluster() -> Iterator[KafkaCluster]:
    """A running cluster, which is gone afterwards. Skips the test without Java or Maven."""
    directory = Path(mkdtemp(prefix="audit-log-kafka-cluster-"))
    try:
        cluster = KafkaCluster(directory)
        try:
            cluster.start(*NODES)
            cluster.wait_until_up()
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(directory)


def _rename(meta: Path, node: int) -> None:
    """Let formatted storage be that of another node."""
    lines = dict(line.split("=", 1) for line in meta.read_text().splitlines() if "=" in line)
    lines |= {"node.id": str(node), "directory.id": base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")}
    meta.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
