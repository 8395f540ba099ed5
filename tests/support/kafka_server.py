"""A real Kafka broker on loopback, in KRaft mode: `python -m tests.support.kafka_server` runs one until Ctrl-C.

Maven fetches it once into the user's cache. It needs Java 17 or later, and 256 MB of heap. Besides a listener without
a password there is one with TLS and SASL, SCRAM and PLAIN, for `USER` and `PASSWORD`.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from typing import Final

import trustme
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.support.service import free_port
from tests.support.skipping import skip_or_fail
from tests.support.user_cache import user_cache
from tests.support.waiting import SECONDS, until

USER: Final = "audit"
PASSWORD: Final = "the-password-of-the-tests"
POM: Final = Path(__file__).with_suffix(".xml")
HOME: Final = user_cache("kafka")

_CLUSTER_ID: Final = "4L6g3nShT-eMCtK--X86sw"
_PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{secure},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{secure}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
log.dirs={storage}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.initial.task.delay.ms=100
log.retention.check.interval.ms=500
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=2097152
num.io.threads=2
num.network.threads=1
ssl.keystore.type=PEM
ssl.keystore.location={directory}/keystore.pem
listener.name.sasl_ssl.sasl.enabled.mechanisms=SCRAM-SHA-256,PLAIN
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
"""

# Ends the broker together with the process that it belongs to, however that ends.
_GUARD: Final = """\
owner=$1; shift
"$@" & broker=$!
trap 'kill "$broker"' INT TERM
while kill -0 "$owner" && kill -0 "$broker"; do sleep 1; done 2> /dev/null
kill -9 "$broker" 2> /dev/null
wait
rm -rf "$PWD"
"""

_guards: Final[list["subprocess.Popen[bytes]"]] = []
"""Kept until the end of the test process, since Python warns of a running process that nothing refers to."""


@dataclass(frozen=True)
class KafkaListeners:
    """Addresses of a broker: without a password, and with TLS and SASL by the authority in `ca_file`."""

    plain: str
    secure: str
    ca_file: str


def prepare(directory: Path) -> KafkaListeners:
    """Write the configuration, the certificate and the formatted storage of a new broker into a directory."""
    shutil.copytree(installed() / "storage", directory / "data")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    chain = b"".join(pem.bytes() for pem in certificate.cert_chain_pems)
    pkcs8 = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / "keystore.pem").write_bytes(pkcs8 + chain)
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    ports = {name: free_port() for name in ("plain", "secure", "controller")}
    properties = _PROPERTIES.format(
        directory=directory, storage=directory / "data", user=USER, password=PASSWORD, **ports
    )
    (directory / "server.properties").write_text(properties)
    return KafkaListeners(f"127.0.0.1:{ports['plain']}", f"127.0.0.1:{ports['secure']}", str(directory / "ca.pem"))


def command(directory: Path) -> list[str]:
    """Return the command that runs the broker of a prepared directory in the foreground."""
    return [*java(), "kafka.Kafka", str(directory / "server.properties")]


@cache
def shared_broker() -> KafkaListeners:
    """Return the broker of this test run, which the first test that needs it starts, and which ends with the run."""
    owner = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    folder = Path(gettempdir()) / f"audit-log-kafka-{os.getuid()}-{owner}"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other test processes wait for the one that starts it
        ready = folder / "listeners.json"
        if not ready.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a former process with this number
            folder.mkdir(mode=0o700)
            listeners = prepare(folder)
            _start(folder, owner, listeners)
            ready.write_text(json.dumps(asdict(listeners)))
        return KafkaListeners(**json.loads(ready.read_text()))


def answers(listeners: KafkaListeners) -> bool:
    """Whether the broker answers a client."""
    try:
        AdminClient({"bootstrap.servers": listeners.plain, "log_level": 0}).list_topics(timeout=1)
    except KafkaException:
        return False
    return True


def _start(folder: Path, owner: int, listeners: KafkaListeners) -> None:
    log_path = folder / "log"
    with log_path.open("ab") as log:
        guard = subprocess.Popen(
            ["sh", "-c", _GUARD, "kafka", str(owner), *command(folder)],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    _guards.append(guard)
    until(lambda: answers(listeners) or guard.poll() is not None, shown=lambda: log_path.read_text()[-2000:])
    assert guard.poll() is None, f"the broker ended:\n{log_path.read_text()[-2000:]}"


def java(megabytes: int = 256) -> list[str]:
    """Java with little memory and a short start: a broker of tests does not live long enough for more."""
    options = [
        f"-Xmx{megabytes}m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    ]
    return ["java", *options, "-cp", f"{HOME / 'libraries'}/*"]


def installed() -> Path:
    """Return the folder of the libraries and of a formatted storage, after fetching them once.

    Skips the test without Java, Maven or their repository; with CI=true that is a failure.
    """
    for program, package in (("java", "default-jre-headless"), ("mvn", "maven")):
        if shutil.which(program) is None:
            skip_or_fail(f"a Kafka broker needs {program}: `apt-get install {package}`, or run .ci/services")
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = HOME / "installed.xml"
        if not done.exists() or done.read_bytes() != POM.read_bytes():
            _install()
            done.write_bytes(POM.read_bytes())
    return HOME


def _install() -> None:
    for folder in ("libraries", "storage"):
        shutil.rmtree(HOME / folder, ignore_errors=True)
    fetch = ["mvn", "--quiet", "--batch-mode", "--file", str(POM), "dependency:copy-dependencies"]
    fetched = subprocess.run(
        [*fetch, f"-DoutputDirectory={HOME / 'libraries'}"], capture_output=True, check=False, timeout=300
    )
    if fetched.returncode:
        skip_or_fail(f"a Kafka broker cannot be fetched: see why by `{' '.join(fetch)}`")
    properties = HOME / "format.properties"
    properties.write_text(
        _PROPERTIES.format(
            directory=HOME, storage=HOME / "storage", plain=1, secure=2, controller=3, user=USER, password=PASSWORD
        )
    )
    user = f"SCRAM-SHA-256=[name={USER},password={PASSWORD},iterations=4096]"
    tool = ["kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(properties), "--add-scram", user]
    subprocess.run([*java(), *tool], check=True, capture_output=True, timeout=SECONDS)


def main() -> None:
    """Run a broker in the foreground, in a folder that is removed when it ends."""
    folder = Path(mkdtemp(prefix="audit-log-kafka-"))
    try:
        listeners = prepare(folder)
        sys.stdout.write(f"TEST_KAFKA_SERVERS={listeners.plain}\n")
        sys.stdout.flush()
        subprocess.run(command(folder), check=False)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
