"""The receivers of webhooks in the guide run as they are printed there, and verify what streams send."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from core.errors import MisconfiguredError
from core.ports.streams import Destination
from core.streams.destinations import http
from core.streams.egress import Egress
from tests.support.builders import event
from tests.support.node import node_modules
from tests.support.service import free_port
from tests.support.sites import LOOPBACK, STREAM_ID, batch
from tests.support.waiting import SECONDS, retried

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "siem.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SECRET, OTHER = http.new_signing_secret(), http.new_signing_secret()
EVENTS = [event(number, event_type="user.login") for number in range(3)]


@pytest.mark.parametrize("language", ["python", "js"])
def test_a_receiver_takes_each_event_once_and_no_other_sender(language: str, tmp_path: Path) -> None:
    with _receiver(language, tmp_path) as (url, program):
        for _ in range(2):
            _webhook(url, SECRET).send(batch(EVENTS))
        _webhook(url, OTHER, SECRET).send(batch(EVENTS))
        with pytest.raises(MisconfiguredError) as refused:
            _webhook(url, OTHER).send(batch([event(9)]))
        assert refused.value.status == 401
        program.terminate()
        printed = program.communicate(timeout=SECONDS)[0].splitlines()
    assert printed == [f"{each.event_id} user.login" for each in EVENTS]


def test_the_configuration_of_a_collector_is_yaml_and_names_what_it_defines() -> None:
    (text,) = _blocks("yaml")
    config = yaml.safe_load(text)
    logs = config["service"]["pipelines"]["logs"]
    assert set(logs["receivers"]) <= config["receivers"].keys()
    assert set(logs["exporters"]) <= config["exporters"].keys()
    assert set(config["service"]["extensions"]) == config["extensions"].keys()


@contextmanager
def _receiver(language: str, tmp_path: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    (code,) = _blocks(language)
    file, port = tmp_path / f"receiver.{language}", free_port()
    file.write_text(code)
    environment = {"PATH": os.environ["PATH"], "WEBHOOK_SECRET": SECRET, "PORT": str(port)}
    if language == "js":
        environment["NODE_PATH"] = str(node_modules())
    command = ["node" if language == "js" else sys.executable, str(file)]
    with (tmp_path / "errors").open("w") as errors:
        program = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        _wait_for(port, program)
        yield f"http://127.0.0.1:{port}/", program
    finally:
        program.kill()
        program.wait()


def _wait_for(port: int, program: "subprocess.Popen[str]") -> None:
    def connect() -> None:
        assert program.poll() is None, "it ended"
        socket.create_connection(("127.0.0.1", port), SECONDS).close()

    retried(connect, OSError)


def _webhook(url: str, *secrets: str) -> Destination:
    config = http.Config.model_validate({"url": url})
    return http.open_destination(
        STREAM_ID, config, http.Secrets.model_validate({"signing_secrets": secrets}), Egress(LOOPBACK)
    )


def _blocks(language: str) -> list[str]:
    return [code for name, code in BLOCK.findall(GUIDE.read_text()) if name == language]
