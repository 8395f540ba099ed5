"""Alerts, dashboard and compose file: well-formed, tested by promtool, and without names that do not exist."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.settings import Settings
from local_runner.background.management import ManagementServer
from local_runner.http.connection_limits import ConnectionLimits
from tests.support.pipelines import start_pipeline
from tests.support.skipping import skip_or_fail

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "infra" / "prometheus"
GRAFANA = ROOT / "infra" / "grafana"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
OPERATIONS = (ROOT / "docs" / "guides" / "operations.md").read_text(encoding="utf-8")
ALERTS = [
    rule for group in yaml.safe_load((PROMETHEUS / "alerts.yaml").read_text())["groups"] for rule in group["rules"]
]
OURS = re.compile(r"\b(?:audit_log|process)_[a-z_]+\b")


def promtool(*arguments: str, cwd: Path = PROMETHEUS) -> None:
    program = shutil.which("promtool")
    if program is None:
        skip_or_fail("needs promtool: apt-get install prometheus")
    done = subprocess.run([program, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def queries() -> Iterator[str]:
    """Of all panels."""
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            yield from (target["expr"] for target in panel.get("targets", []))


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of all series that a service shows."""
    data_dir = tmp_path_factory.mktemp("data")
    monitor = ManagementServer()
    monitor.requests()
    monitor.watch_connections(ConnectionLimits())
    pipeline = start_pipeline(Settings(data_dir=data_dir), meter=monitor.meter)
    monitor.watch(pipeline.services, restarts=lambda: pipeline.restarts)
    names = {sample.name for family in monitor.registry.collect() for sample in family.samples}
    pipeline.close()
    return names


def test_the_configuration_of_prometheus_is_valid() -> None:
    promtool("check", "config", "prometheus.yaml")


def test_every_alert_fires_when_it_should_and_only_then() -> None:
    promtool("test", "rules", "alerts_test.yaml")


def test_every_alert_has_a_test_of_both() -> None:
    tested = {test["name"] for test in yaml.safe_load((PROMETHEUS / "alerts_test.yaml").read_text())["tests"]}
    assert tested == {f"{rule['alert']} {outcome}" for rule in ALERTS for outcome in ("quiet", "raised")}


def test_every_query_of_the_dashboard_is_one(tmp_path: Path) -> None:
    rules = [{"record": f"query:{number}", "expr": expr} for number, expr in enumerate(queries())]
    rules_file = tmp_path / "queries.yaml"
    # Grafana puts a duration in place of the variable.
    rules_file.write_text(json.dumps({"groups": [{"name": "q", "rules": rules}]}).replace("$__rate_interval", "1m"))
    promtool("check", "rules", str(rules_file))


@pytest.mark.parametrize("expressions", [[rule["expr"] for rule in ALERTS], [*queries()]], ids=["alerts", "dashboard"])
def test_only_metrics_that_exist_are_asked_for(expressions: list[str], metrics: set[str]) -> None:
    named = {name for expr in expressions for name in OURS.findall(expr)}
    assert named
    assert named <= metrics


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: str(rule["alert"]))
def test_every_alert_leads_to_its_section_of_the_operations_page(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["runbook"] == f"docs/guides/operations.md#{rule['alert'].lower()}"
    assert f"\n### {rule['alert']}\n" in OPERATIONS


def test_panels_have_ids_of_their_own_and_name_the_source_that_is_provisioned() -> None:
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    for path in DASHBOARDS:
        dashboard = json.loads(path.read_text())
        panels = dashboard["panels"]
        assert dashboard["uid"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        asked = {panel["datasource"]["uid"] for panel in panels if panel["type"] != "row"}
        assert asked == {source["uid"] for source in sources}


def test_compose_brings_the_files_to_where_they_are_read() -> None:
    services = yaml.safe_load((ROOT / "infra" / "compose.yaml").read_text())["services"]
    monitoring = {name: service for name, service in services.items() if service.get("profiles") == ["monitoring"]}
    assert set(monitoring) == {"prometheus", "grafana"}
    for service in monitoring.values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        mounts = [volume.split(":") for volume in service["volumes"]]
        assert all((ROOT / "infra" / source).exists() for source, *_ in mounts if source.startswith("."))
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/audit-log.yaml").read_text())["providers"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in monitoring["grafana"]["volumes"]


def test_prometheus_asks_the_ports_that_compose_opens() -> None:
    services = yaml.safe_load((ROOT / "infra" / "compose.yaml").read_text())["services"]
    command = services["api"]["command"]
    first = int(command[command.index("--metrics-port") + 1])
    workers = int(command[command.index("--workers") + 1])
    worker_command = services["worker"]["command"]
    opened = {("api", port) for port in range(first, first + workers)}
    opened.add(("worker", int(worker_command[worker_command.index("--port") + 1])))
    jobs = yaml.safe_load((PROMETHEUS / "prometheus.yaml").read_text())["scrape_configs"]
    asked = {(each["names"][0], each["port"]) for job in jobs for each in job["dns_sd_configs"]}
    assert asked == opened
