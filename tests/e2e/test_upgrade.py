"""An upgrade keeps what former versions wrote, as fixtures made by their own code show."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from core.errors import AuditLogError
from core.stores.migrations.revision import NEWEST
from local_runner.cli.main import app
from tests.fixtures import make
from tests.support.former_versions import COMMITS
from tests.support.service import Service, environment
from tests.support.upgrades import Restored, api_of, restored, token_of
from tests.support.waiting import until


@pytest.fixture(
    scope="module", params=[(version, kind) for version in COMMITS for kind in make.DATABASES], ids="-".join
)
def former(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restored]:
    version, kind = request.param
    with restored(version, kind, tmp_path_factory.mktemp("former")) as found:
        yield found


@pytest.fixture(scope="module")
def service(former: Restored) -> Iterator[Service]:
    """The version under test on the data of the former one, which it migrates at its start."""
    with Service.start(former.data_dir, **former.settings) as running:
        yield running


def run(former: Restored, *arguments: str) -> tuple[int, str]:
    """Status and output of a command."""
    client = {f"AUDIT_{name.upper()}": value for name, value in former.expected["clients"][0].items()}
    ended = CliRunner().invoke(app, arguments, env={**environment(former.data_dir, **former.settings), **client})
    error = str(ended.exception) if isinstance(ended.exception, AuditLogError) else ""  # `main` prints it
    return ended.exit_code, ended.stdout + error


def body_of(api: httpx.Client, path: str) -> Any:
    answer = api.get(path)
    return answer.json() if answer.is_success else None


def is_found(api: httpx.Client, path: str) -> bool:
    return api.get(path).is_success


def test_the_start_migrates_to_the_newest_revision(former: Restored, service: Service) -> None:
    revision = former.expected["revision"]
    assert ("database_migrated" in service.log) == (revision != NEWEST)
    assert f"from_revision={revision}" in service.log or revision == NEWEST
    assert run(former, "migrate") == (0, f"already at revision {NEWEST}\n")


def test_stored_events_are_unchanged(former: Restored, service: Service) -> None:
    with api_of(service, former.expected["clients"][0]) as api:
        for event in former.expected["events"]:
            found = api.get(f"/event/{event['event_id']}").raise_for_status().json()
            assert {name: found[name] for name in event} == event


def test_filters_find_events_of_the_former_version(former: Restored, service: Service) -> None:
    with api_of(service, former.expected["clients"][0]) as api:
        by_data = api.get("/event", params={"event_data.user.name": "Zoë"}).raise_for_status().json()["events"]
        by_customer = api.get("/event", params={"customer_id": 9}).raise_for_status().json()["events"]
    assert [event["event_type"] for event in by_data] == ["user.login"]
    assert [event["event_type"] for event in by_customer] == ["report.read", "file.deleted"]


def test_events_that_were_only_in_the_spool_are_stored(former: Restored, service: Service) -> None:
    with api_of(service, former.expected["clients"][0]) as api:
        for event_id, posted in former.expected["waiting"].items():
            found = until(partial(body_of, api, f"/event/{event_id}"), f"{event_id} is stored")
            assert {name: found[name] for name in posted} == posted


def test_dead_letters_are_kept(former: Restored, service: Service) -> None:
    assert service.process.poll() is None
    listed = [json.loads(line) for line in run(former, "dead-letters", "list", "--json")[1].splitlines()]
    events = [letter["event"] for letter in listed]
    assert events == [letter["event"] for letter in former.expected["dead_letters"]]


def test_clients_keep_their_secrets_and_a_disabled_one_stays_out(former: Restored, service: Service) -> None:
    active, disabled = former.expected["clients"]
    assert token_of(service, active).status_code == 200
    assert token_of(service, disabled).status_code == 401


def test_every_accepted_event_is_accounted_for(former: Restored, service: Service) -> None:
    assert service.process.poll() is None
    until(lambda: run(former, "reconcile")[0] == 0, shown=lambda: run(former, "reconcile"))


def test_every_event_can_be_proven_after_the_adoption_of_former_ones(former: Restored, service: Service) -> None:
    status, adopted = run(former, "ledger", "adopt")
    assert status == 0, adopted
    ids = [*(event["event_id"] for event in former.expected["events"]), *former.expected["waiting"]]
    with api_of(service, former.expected["clients"][0]) as api:
        for event_id in ids:
            until(partial(is_found, api, f"/event/{event_id}/proof"), f"the proof of {event_id}")
    check = ("ledger", "check", "--processes", "1")
    until(lambda: run(former, *check)[0] == 0, shown=lambda: run(former, *check))


def test_proofs_of_the_former_version_are_valid_and_part_of_the_ledger(
    former: Restored, service: Service, tmp_path: Path
) -> None:
    key = run(former, "ledger", "key")[1].strip()
    policy = tmp_path / "policy"
    policy.write_text(run(former, "ledger", "policy")[1])
    for event_id, files in former.expected["proofs"].items():
        proof = tmp_path / f"{event_id}.tlog-proof"
        proof.write_text(files["proof"])
        proof.with_suffix(".data").write_text(files["proof/data"])
        assert run(former, "verify", str(proof), "--key", key)[0] == 0
        checkpoint = tmp_path / "checkpoint"
        checkpoint.write_text(files["checkpoint"])
        _, compared = run(
            former, "ledger", "consistency", str(checkpoint), "--url", service.url, "--policy", str(policy)
        )
        assert compared.startswith("CONSISTENT"), compared
    assert bool(former.expected["proofs"]) == (former.version != "0.1.0")
