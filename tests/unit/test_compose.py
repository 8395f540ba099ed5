"""compose.yaml: containers without rights, that start when the servers they need can be reached."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import commands

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[2] / "infra" / "compose.yaml").read_text()
)["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "audit-log"}


@pytest.mark.parametrize("name", OURS)
def test_a_container_has_no_rights_and_writes_to_its_volume_only(name: str) -> None:
    assert OURS[name]["read_only"] is True
    assert OURS[name]["cap_drop"] == ["ALL"]
    assert OURS[name]["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", OURS)
def test_a_command_exists_with_its_options(name: str) -> None:
    command, *options = OURS[name]["command"]
    commands.assert_exists(command, options)


@pytest.mark.parametrize("name", OURS)
def test_a_container_waits_for_servers_that_are_healthy(name: str) -> None:
    waits = OURS[name]["depends_on"]
    assert waits == {server: {"condition": "service_healthy"} for server in ("postgres", "rabbitmq")}
    assert all("healthcheck" in SERVICES[server] for server in waits)


def test_postgresql_is_healthy_once_it_listens_by_tcp() -> None:
    """The image first runs a server that answers on its socket only, prepares the data, and is stopped."""
    check = SERVICES["postgres"]["healthcheck"]["test"]
    assert check[check.index("--host") + 1] == "127.0.0.1"
