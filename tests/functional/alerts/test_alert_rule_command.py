"""`audit-log alert-rule ...` on the data of a running service, which records the alerts."""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.domain.queries import EventFilter, PageRequest
from core.settings import Settings
from local_runner.cli.main import app
from local_runner.pipeline import Pipeline
from tests.support.builders import event
from tests.support.pipelines import start_pipeline
from tests.support.service import environment
from tests.support.waiting import until

THRESHOLD = ("--kind", "threshold", "--threshold", "3", "--window", "60", "--group-by", "customer_id")


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    started = start_pipeline(Settings(data_dir=tmp_path / "data"))
    yield started
    started.close()


@pytest.fixture
def run(pipeline: Pipeline) -> Callable[..., tuple[int, str]]:
    def command(*arguments: object) -> tuple[int, str]:
        settings = environment(pipeline.services.settings.data_dir)
        ended = CliRunner().invoke(app, ["alert-rule", *map(str, arguments)], env=settings)
        error = ended.exception  # printed by `main`
        return ended.exit_code, ended.output + ("" if error is None else str(error))

    return command


Run = Callable[..., tuple[int, str]]


def create(run: Run, *arguments: object) -> str:
    code, output = run("create", *arguments)
    assert code == 0, output
    found = re.search(r"rule-[0-9a-f]{16}", output)
    assert found
    return found[0]


def test_a_rule_fires_in_the_running_service_and_is_previewed_and_deleted(run: Run, pipeline: Pipeline) -> None:
    rule_id = create(run, "--name", "logins", *THRESHOLD, "--filter", "event_type=user.login")
    now = int(time.time())
    at = {"timestamp_utc": now, "received_at": pipeline.services.clock()}
    pipeline.services.writer.add([event(n, **at) for n in range(3)])
    wanted = EventFilter(event_types=("audit-log.alert",))
    found = until(lambda: pipeline.services.reader.find_page(wanted, PageRequest()).events)
    assert [(each.customer_id, each.event_data["subject"]) for each in found] == [(42, rule_id)]
    code, output = run("preview", *THRESHOLD, "--filter", "event_type=user.login", "--json")
    shown = json.loads(output)
    assert (code, shown["matched"], shown["alert_count"]) == (0, 3, 1)
    assert "3 events" in run("preview", *THRESHOLD, "--filter", "event_type=user.login")[1]
    assert json.loads(run("show", rule_id, "--json")[1])["last_alert_at"]
    assert "logins" in run("show", rule_id)[1]
    assert run("pause", rule_id)[1].startswith(f"{rule_id} is paused at index ")
    assert run("resume", rule_id)[1].startswith(f"{rule_id} is active at index ")
    assert rule_id in run("list")[1]
    assert json.loads(run("list", "--json")[1])["name"] == "logins"
    assert run("delete", rule_id) == (0, f"{rule_id} is deleted\n")
    assert "There are no alert rules." in run("list")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("create", "--name", "x", "--kind", "anomaly"), "kind"),
        (("create", "--name", "x", "--kind", "threshold"), "needs"),
        (("create", "--name", "x", *THRESHOLD, "--filter", "event_type[like]=a"), "filter"),
        (("preview", *THRESHOLD, "--window", "0"), "window_seconds"),
        (("show", "rule-0"), "There is no such alert rule. See `audit-log alert-rule list`."),
    ],
)
def test_bad_input_is_refused(run: Run, arguments: tuple[str, ...], message: str) -> None:
    code, output = run(*arguments)
    assert code != 0
    assert message in output


def test_a_name_that_is_taken_is_refused(run: Run) -> None:
    create(run, "--name", "logins", *THRESHOLD)
    code, output = run("create", "--name", "logins", *THRESHOLD)
    assert code != 0
    assert "Another alert rule has this name: choose another one." in output
