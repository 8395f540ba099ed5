"""Two running services with a witness each, which cosign each other, and anchors with a time stamp authority."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from core.errors import AnchorUnavailableError, InvalidSettingsError
from core.ports.ledger import SignedCheckpoint
from core.settings import Settings
from local_runner.background.anchors import FileAnchor, open_anchors
from local_runner.background.attestation import Attestation
from local_runner.background.time_stamps import TimeStampAnchor
from local_runner.background.witnesses import read_witnesses
from tests.functional.ledger.test_ledger_commands import post, run
from tests.support import forked
from tests.support.service import AUDIT_LOG, Service, environment, free_port, get
from tests.support.waiting import SECONDS, retried, until
from tests.unit.ledger.sample_log import SampleLog

EVERY_SECOND = {"ledger_seconds": "1", "ledger_witness_seconds": "1", "ledger_anchor_seconds": "1"}
LOG = SampleLog()
CHECKPOINT = SignedCheckpoint(11, LOG.checkpoint().to_bytes())


class WitnessProcess:
    """`audit-log witness serve` on a free port, with its key and state in a directory."""

    def __init__(self, directory: Path, name: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.directory = directory
        directory.mkdir()
        self.options = ["--name", name, "--key-file", str(directory / "key.pem")]
        self.log = directory / "log"

    @property
    def line(self) -> str:
        key = forked.run([AUDIT_LOG, "witness", "key", *self.options], env=environment(self.directory), check=True)
        return f"witness {self.directory.name} {key.stdout.strip()} {self.url}\n"

    @contextmanager
    def serving(self, policy: Path) -> Iterator[None]:
        where = ["--state", str(self.directory / "state"), "--policy", str(policy), "--port", str(self.port)]
        command = [AUDIT_LOG, "witness", "serve", *self.options, *where]
        with self.log.open("w") as log:
            process = forked.start(command, environment(self.directory), log.fileno(), log.fileno())
        try:
            until(lambda: "witness_started" in self.log.read_text())
            until(lambda: answers(f"{self.url}/health"))
            yield
        finally:
            process.terminate()
            process.wait(SECONDS)


def answers(url: str) -> bool:
    try:
        return get(url).is_success
    except httpx.TransportError:
        return False


def checkpoint(service: Service) -> httpx.Response:
    with service.client() as client:
        return client.get("/ledger/checkpoint", params={"cosigned": "true"})


def test_two_services_cosign_each_other_and_refuse_a_fork(tmp_path: Path) -> None:
    names = ("a", "b")
    witnesses = {name: WitnessProcess(tmp_path / f"witness-{name}", f"witness-{name}.example") for name in names}
    policies = {name: tmp_path / f"policy-{name}" for name in names}
    with ExitStack() as stack:
        for name, other in (names, names[::-1]):
            file = tmp_path / f"witnesses-{name}"
            file.write_text(f"{witnesses[other].line}quorum witness-{other}\n")
        for name in names:  # once without, for the keys of the logs
            with Service.start(tmp_path / name, **EVERY_SECOND) as service:
                until(lambda: run(service, "ledger", "policy")[0] == 0)
                policies[name].write_text(run(service, "ledger", "policy")[1])
        shutil.copytree(tmp_path / "a", tmp_path / "copy")
        for name, other in (names, names[::-1]):
            stack.enter_context(witnesses[other].serving(policies[name]))
        services = {
            name: stack.enter_context(
                Service.start(tmp_path / name, **EVERY_SECOND, ledger_witnesses=str(tmp_path / f"witnesses-{name}"))
            )
            for name in names
        }
        for name, other in (names, names[::-1]):
            service = services[name]
            event_id = post(service)
            until(lambda: checkpoint(service).is_success)  # noqa: B023
            assert f"\u2014 witness-{other}.example " in checkpoint(service).text
            with service.client() as client:
                policy = tmp_path / "policy"
                policy.write_bytes(client.get("/ledger/policy").content)
            assert f"quorum witness-{other}\n" in policy.read_text()
            assert witnesses[other].url not in policy.read_text()
            until(lambda: run(service, "proof", "get", event_id, "--output", tmp_path)[0] == 0)  # noqa: B023
            status, text = run(service, "verify", tmp_path / f"{event_id}.tlog-proof", "--policy", policy)
            assert (status, f"by witness-{other}.example" in text) == (0, True)
            assert client_check(service)["cosigned"] >= 1
        # The copy of A's data has A's key and forgets what A signed since: it grows to another history.
        services["a"].stop()
        with Service.start(tmp_path / "copy", **EVERY_SECOND, ledger_witnesses=str(tmp_path / "witnesses-a")) as copy:
            for _ in range(3):
                post(copy)
            until(lambda: "witness_refused" in copy.log)
            assert checkpoint(copy).status_code == 404
        assert "witness_refused_checkpoint" in witnesses["b"].log.read_text()
        metrics = get(f"{witnesses['b'].url}/metrics").text
        refused = 'audit_log_http_request_seconds_count{method="POST",route="/add-checkpoint",status="4xx"}'
        assert float(re.findall(f"{re.escape(refused)} (.+)", metrics)[0]) > 0


def client_check(service: Service) -> dict[str, int]:
    found: dict[str, int] = get(f"{service.url}/ready").json()["checks"]["witnesses"]
    return found


def test_a_witness_that_is_away_delays_no_event_and_no_checkpoint(tmp_path: Path) -> None:
    away = WitnessProcess(tmp_path / "away", "away.example")
    (tmp_path / "witnesses").write_text(f"{away.line}quorum away\n")
    with Service.start(tmp_path / "data", **EVERY_SECOND, ledger_witnesses=str(tmp_path / "witnesses")) as service:
        event_id = post(service)
        until(lambda: run(service, "proof", "get", event_id, "--output", tmp_path)[0] == 0)
        until(lambda: service.log.count("witness_unavailable") == 1)
        assert checkpoint(service).status_code == 404
        policy = tmp_path / "policy"
        policy.write_text(run(service, "ledger", "policy")[1])
        policy.write_text(f"{policy.read_text().split(chr(10))[0]}\n{away.line}quorum away\n")
        assert run(service, "verify", tmp_path / f"{event_id}.tlog-proof", "--policy", policy)[0] == 3


@pytest.mark.parametrize("policy", ["", "quorum none\n", f"log {LOG.vkey}\nquorum none\n", "witness a b c\nquorum a\n"])
def test_a_policy_without_witnesses_to_ask_stops_the_start(tmp_path: Path, policy: str) -> None:
    (tmp_path / "witnesses").write_text(policy)
    with pytest.raises(InvalidSettingsError, match="AUDIT_LOG_LEDGER_WITNESSES"):
        read_witnesses(tmp_path / "witnesses")


def test_a_process_that_does_not_sign_asks_nobody() -> None:
    settings = Settings(queue_url="amqp://broker", ledger_witnesses=Path("/no/file"), ledger_anchors=("/no/file",))
    assert Attestation(settings, database=None, meter=None).checks == {}  # type: ignore[arg-type] # none is used


def test_a_file_gets_a_line_for_each_checkpoint(tmp_path: Path) -> None:
    anchor = FileAnchor(tmp_path / "anchor", lambda: 0.0)
    anchor.keep(CHECKPOINT)
    with (tmp_path / "anchor").open("a") as file:
        file.write('\n{"at": "cut o')
    anchor.keep(CHECKPOINT)
    lines = (tmp_path / "anchor").read_text().split("\n")
    expected = {"at": "1970-01-01T00:00:00+00:00", "size": 11, "note": CHECKPOINT.note.decode()}
    assert [json.loads(lines[place]) for place in (1, 3)] == [expected, expected]
    with pytest.raises(AnchorUnavailableError, match="cannot be written"):
        FileAnchor(tmp_path / "missing" / "anchor").keep(CHECKPOINT)


def openssl(*arguments: object) -> bytes:
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True).stdout


class Authority:
    """A time stamp authority of openssl's, on loopback."""

    def __init__(self, directory: Path) -> None:
        self.certificate = directory / "tsa.pem"
        key, self._config = directory / "tsa-key.pem", directory / "tsa.conf"
        self._config.write_text(
            "[req]\ndistinguished_name = dn\nx509_extensions = tsa_extensions\nprompt = no\n[dn]\nCN = Test authority\n"
            "[tsa_extensions]\nextendedKeyUsage = critical, timeStamping\n"
            f"[tsa]\ndefault_tsa = tsa1\n[tsa1]\nserial = {directory}/serial\ncrypto_device = builtin\n"
            f"signer_cert = {self.certificate}\nsigner_key = {key}\nsigner_digest = sha256\n"
            "default_policy = 1.2.3.4.1\ndigests = sha256\nordering = yes\ntsa_name = yes\ness_cert_id_alg = sha256\n"
        )
        (directory / "serial").write_text("01\n")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", self.certificate,
                "-days", 2, "-config", self._config)  # fmt: skip
        self.queries = directory / "queries"
        self.queries.mkdir()
        self.status, self.swap = 200, b""

    def reply(self, query: bytes) -> bytes:
        (self.queries / "query").write_bytes(query)
        return self.swap or openssl(
            "ts", "-reply", "-queryfile", self.queries / "query", "-config", self._config, "-section", "tsa1"
        )


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[tuple[Authority, str]]:
    made = Authority(tmp_path)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/timestamp-query"
            answer = made.reply(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(made.status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield made, f"http://127.0.0.1:{server.server_port}/tsr"
    server.shutdown()
    server.server_close()


def test_a_time_stamp_is_verified_by_openssl(authority: tuple[Authority, str], tmp_path: Path) -> None:
    tsa, url = authority
    TimeStampAnchor(url, tmp_path / "stamps").keep(CHECKPOINT)
    files = {suffix: tmp_path / "stamps" / f"11.{suffix}" for suffix in ("checkpoint", "tsq", "tsr")}
    assert files["checkpoint"].read_bytes() == CHECKPOINT.note
    trusted = ("-CAfile", tsa.certificate, "-untrusted", tsa.certificate)
    for what in (("-queryfile", files["tsq"]), ("-data", files["checkpoint"])):
        openssl("ts", "-verify", "-in", files["tsr"], *what, *trusted)  # fails otherwise, as below
    files["checkpoint"].write_bytes(CHECKPOINT.note + b"x")
    with pytest.raises(subprocess.CalledProcessError):
        openssl("ts", "-verify", "-in", files["tsr"], "-data", files["checkpoint"], *trusted)


def test_an_answer_that_is_no_time_stamp_of_the_request_is_refused(
    authority: tuple[Authority, str], tmp_path: Path
) -> None:
    tsa, url = authority
    stamps = tmp_path / "stamps"
    retried(lambda: TimeStampAnchor(url, stamps).keep(CHECKPOINT), AnchorUnavailableError)

    def refusal() -> str:
        with pytest.raises(AnchorUnavailableError) as refused:
            TimeStampAnchor(url, stamps).keep(CHECKPOINT._replace(size=12))
        return str(refused.value)

    for status, answer, reason in (
        (200, (stamps / "11.tsr").read_bytes(), "another request"),
        (200, b"no time stamp", "no time stamp"),
        (503, b"busy", "status 503"),
        (200, b"x" * 100_000, "no answer"),
    ):
        tsa.status, tsa.swap = status, answer
        until(lambda: reason in refusal())  # noqa: B023 - at the first attempt, it may not answer in time
    assert sorted(path.name for path in stamps.iterdir()) == ["11.checkpoint", "11.tsq", "11.tsr"]


def test_a_service_anchors_its_checkpoints_in_all_places(authority: tuple[Authority, str], tmp_path: Path) -> None:
    _, url = authority
    file, gone = tmp_path / "anchor", tmp_path / "gone" / "anchor"
    with Service.start(tmp_path / "data", **EVERY_SECOND, ledger_anchors=f"log {file} {gone} {url}") as service:
        post(service)
        until(lambda: list((tmp_path / "data" / "ledger" / "timestamps").glob("*.tsr")))
        assert file.read_text().startswith('\n{"at": ')
        assert "ledger_checkpoint" in service.log
        assert service.log.count("anchor_failed") == 1


def test_time_stamps_need_the_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    with pytest.raises((InvalidSettingsError, ValueError)):
        open_anchors(["https://tsa.example"], tmp_path)
