"""The manifests for Kubernetes fit its API, the image, the commands and the settings."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from core import __version__
from core.errors import InvalidSettingsError
from core.settings import Settings
from tests.support import commands
from tests.support.kubernetes import problems

FOLDER = Path(__file__).parents[2] / "infra" / "kubernetes"
DOCKERFILE = (FOLDER.parent / "Dockerfile").read_text()
MANIFESTS: list[dict[str, Any]] = [
    manifest for path in sorted(FOLDER.glob("*.yaml")) for manifest in yaml.safe_load_all(path.read_text())
]
OF_THE_API = [manifest for manifest in MANIFESTS if not manifest["apiVersion"].startswith("keda.sh/")]
PODS = {
    manifest["metadata"]["name"]: manifest["spec"]["template"]["spec"]
    for manifest in MANIFESTS
    if manifest["kind"] in {"Deployment", "StatefulSet", "Job"}
}
CONTAINERS = {name: pod["containers"][0] for name, pod in PODS.items()}
(CONFIG,) = (manifest["data"] for manifest in MANIFESTS if manifest["kind"] == "ConfigMap")
SECRETS = {"audit-log", "audit-log-jwt-key", "audit-log-ledger-key"}


def named(manifest: dict[str, Any]) -> str:
    return f"{manifest['kind']}-{manifest['metadata']['name']}"


@pytest.mark.parametrize("version", ["1.30", "1.37"])
@pytest.mark.parametrize("manifest", OF_THE_API, ids=named)
def test_a_manifest_fits_the_oldest_and_the_newest_api(manifest: dict[str, Any], version: str) -> None:
    assert problems(manifest, version) == []


def test_an_unknown_field_would_be_noticed() -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "daat": {}}
    assert "daat" in "".join(problems(manifest, "1.30"))


@pytest.mark.parametrize("name", PODS)
def test_a_pod_has_no_more_rights_than_it_needs(name: str) -> None:
    pod, container = PODS[name], CONTAINERS[name]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert f"--uid {pod['securityContext']['runAsUser']}" in DOCKERFILE
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert "memory" in container["resources"]["limits"]
    assert {mount["mountPath"] for mount in container["volumeMounts"]} >= {"/tmp", "/var/lib/audit-log"}  # noqa: S108


@pytest.mark.parametrize("name", PODS)
def test_a_pod_gets_no_variables_of_services_since_they_look_like_unknown_settings(name: str) -> None:
    (service,) = (each for each in MANIFESTS if each["kind"] == "Service" and each["spec"].get("clusterIP") != "None")
    prefix = service["metadata"]["name"].upper().replace("-", "_")
    with pytest.raises(InvalidSettingsError, match=f"{prefix}_PORT is not a setting"):
        Settings.from_environ({f"{prefix}_PORT": "tcp://10.96.0.17:80"})
    assert PODS[name]["enableServiceLinks"] is False


def test_a_stateful_set_has_its_headless_service() -> None:
    headless = {each["metadata"]["name"] for each in MANIFESTS if each.get("spec", {}).get("clusterIP") == "None"}
    assert headless == {each["spec"]["serviceName"] for each in MANIFESTS if each["kind"] == "StatefulSet"}


def test_a_disruption_budget_does_not_hold_pods_that_wait_for_a_part() -> None:
    budgets = [each["spec"] for each in MANIFESTS if each["kind"] == "PodDisruptionBudget"]
    assert len(budgets) == 2
    assert all(budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow" for budget in budgets)


@pytest.mark.parametrize("name", PODS)
def test_a_command_exists_with_its_options(name: str) -> None:
    command, *options = CONTAINERS[name]["args"]
    commands.assert_exists(command, options)


@pytest.mark.parametrize("name", [name for name in PODS if name != "audit-log-migrate"])
def test_probes_ask_a_port_on_which_the_command_listens(name: str) -> None:
    container = CONTAINERS[name]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    probes = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
    assert {kind: probe["path"] for kind, probe in probes.items()} == {
        "startup": "/health", "liveness": "/health", "readiness": "/ready",
    }  # fmt: skip
    options = container["args"]
    listens = {8000} if options[0] == "serve" else {int(options[options.index("--port") + 1])}
    assert {ports[probe["port"]] for probe in probes.values()} == listens


@pytest.mark.parametrize("name", PODS)
def test_the_settings_of_a_pod_are_complete(name: str) -> None:
    literals = re.findall(r"--from-literal=(AUDIT_LOG_\w+)='([^']+)'", (FOLDER / "README.md").read_text())
    single = {each["name"]: each["value"] for each in CONTAINERS[name].get("env", [])}
    settings = Settings.from_environ({**CONFIG, **dict(literals), **single})
    assert settings.database_url
    assert settings.queue_scheme == "amqps"


def test_every_setting_exists_and_every_secret_is_one_that_the_readme_creates() -> None:
    known = {f"AUDIT_LOG_{name.upper()}" for name in Settings.model_fields}
    single = {each["name"] for container in CONTAINERS.values() for each in container.get("env", [])}
    assert CONFIG.keys() | single <= known
    named = {each["secret"]["secretName"] for pod in PODS.values() for each in pod["volumes"] if "secret" in each}
    named |= {each["secretRef"]["name"] for c in CONTAINERS.values() for each in c["envFrom"] if "secretRef" in each}
    assert named == SECRETS
    readme = (FOLDER / "README.md").read_text()
    assert all(f"kubectl create secret generic {name} " in readme for name in SECRETS)
    assert all(path.name in readme for path in FOLDER.glob("*.yaml"))


def test_selectors_and_targets_name_what_exists() -> None:
    specs = [manifest.get("spec", {}) for manifest in MANIFESTS]
    labels = [spec["template"]["metadata"]["labels"] for spec in specs if "template" in spec]
    for spec in specs:
        if "scaleTargetRef" in spec:
            assert spec["scaleTargetRef"]["name"] in PODS
        if selector := spec.get("selector"):
            assert selector.get("matchLabels", selector) in labels


@pytest.mark.parametrize("name", PODS)
def test_the_image_is_of_this_version(name: str) -> None:
    assert CONTAINERS[name]["image"] == f"audit-log:{__version__}"
