"""The reference pages, compared with the code: settings, commands, HTTP, and tables of the guides."""

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
import yaml

from core.domain.erasures import ErasedEvent
from core.domain.models import NewEvent
from core.domain.queries import Page
from core.domain.strict_json import MAX_DEPTH
from core.settings import Settings
from core.stores.migrations import revision
from functions import create_events, event_feed, export_events, query_events
from functions.http.event_filters import FILTERS
from functions.http.limits import (
    MAX_BODY_BYTES,
    MAX_EVENT_BODY_BYTES,
    MAX_EVENT_BYTES,
    MAX_FORM_BYTES,
    MAX_RESPONSE_BYTES,
)
from functions.http.request_body import MAX_ERRORS
from functions.operations import erase_events
from functions.pages.openapi import describe
from functions.routes import ROUTES
from local_runner.cli.main import app
from local_runner.http.deadlines import BODY_SECONDS, HEAD_SECONDS
from local_runner.spool import records
from tests.support.documents import ROOT, quoted, read, table, tables

SETTINGS = read("docs/reference/settings.md")
COMMANDS = read("docs/reference/commands.md")
HTTP = read("docs/reference/http.md")


def test_the_table_of_settings_is_complete_and_right() -> None:
    rows = [row for row in table(SETTINGS, "variable", "default", "meaning") if "`AUDIT_LOG_" in row[0]]
    printed = {quoted(name)[0].removeprefix("AUDIT_LOG_"): default for name, default, _ in rows}
    assert list(printed) == [name.upper() for name in Settings.model_fields]
    for name, field in Settings.model_fields.items():
        if field.default in {None, ()}:  # described in words
            assert not printed[name.upper()].startswith("`"), name
        else:
            assert printed[name.upper()] == f"`{field.default}`", name


def test_the_variables_of_the_client_commands_are_those_that_they_read() -> None:
    rows = table(SETTINGS, "variable", "default", "meaning")
    printed = {name for row in rows for name in quoted(row[0]) if not name.startswith("AUDIT_LOG_")}
    sources = [path.read_text() for path in (ROOT / "local_runner" / "cli").rglob("*.py")]
    assert printed == {name for text in sources for name in re.findall(r'"((?:AUDIT_CLIENT|LOAD_TEST)_[A-Z]+)"', text)}


def commands() -> dict[str, typer.core.TyperCommand | typer.core.TyperGroup]:
    """Commands and subcommands by their full names."""
    group: Any = typer.main.get_command(app)
    found = dict(group.commands)
    for name, command in group.commands.items():
        found |= {f"{name} {sub}": each for sub, each in getattr(command, "commands", {}).items()}
    return found


def test_the_commands_that_read_the_variables_of_the_client_are_named() -> None:
    section = SETTINGS.partition("## Commands that talk to a service")[2].partition("|")[0]
    reading = {
        name
        for name, command in commands().items()
        if "AUDIT_CLIENT_ID" in {getattr(parameter, "envvar", None) for parameter in command.params}
    }
    assert {text for text in quoted(section) if text in commands()} == reading


def test_the_tables_of_commands_are_complete_and_right() -> None:
    rows = [*table(COMMANDS, "command", "purpose"), *table(COMMANDS, "subcommand", "purpose")]
    printed = {quoted(name)[0].removeprefix("audit-log "): purpose for name, purpose in rows}
    existing = commands()
    assert printed.keys() == existing.keys()
    for name, purpose in printed.items():
        options = {option for parameter in existing[name].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", purpose)) <= options, name


def test_the_table_of_routes_is_complete_and_right() -> None:
    paths = describe(ROUTES)["paths"]
    expected = []
    for route in ROUTES:
        statuses = [int(status) for status in paths[route.path][route.method.lower()]["responses"]]
        successes, failures = ([s for s in statuses if (s < 400) is wanted] for wanted in (True, False))
        needed = f"`{route.scope}`" if route.scope else "client credentials" if route.credentials else "none"
        cells = (", ".join(map(str, successes)), ", ".join(map(str, failures)))
        expected.append((f"`{route.method}`", f"`{route.path}`", needed, *cells))
    assert table(HTTP, "method", "path", "authentication", "success", "failure") == expected


def test_the_statuses_that_are_explained_are_those_of_the_routes_and_of_the_server() -> None:
    rows = table(HTTP, "status", "meaning", "send the request again?")
    printed = {int(status) for row in rows for status in row[0].split(", ")}
    of_the_server = {404, 405, 408, 414, 431}
    operations = [operation for methods in describe(ROUTES)["paths"].values() for operation in methods.values()]
    of_routes = {int(status) for operation in operations for status in operation["responses"]}
    assert printed == {status for status in of_routes | of_the_server if status >= 400}


def test_the_table_of_an_event_has_its_fields() -> None:
    rows = {quoted(row[0])[0]: row for row in table(HTTP, "field", "type", "as posted", "as returned")}
    assert rows.keys() == ErasedEvent.model_fields.keys()
    for name, row in rows.items():
        field = NewEvent.model_fields.get(name)
        said = "not allowed" if field is None else "required" if field.is_required() else "optional"
        assert row[2].startswith(said), name


def test_the_tables_of_parameters_are_complete() -> None:
    rows = table(HTTP, "parameter", "type", "meaning")
    printed = {quoted(row[0])[0].removesuffix(".PATH") for row in rows}
    assert printed == {parameter.name for parameter in query_events.PARAMETERS}
    printed = {quoted(row[0])[0] for row in table(HTTP, "parameter", "meaning")}
    others = [*export_events.PARAMETERS, event_feed.AFTER, event_feed.LIMIT, event_feed.WAIT]
    assert printed == {each.name for each in others} - {each.name for each in FILTERS}


def test_the_table_of_a_page_has_its_fields() -> None:
    fields = [*Page.model_fields, *event_feed.Feed.model_fields, *erase_events.Erasure.model_fields]
    assert [quoted(row[0])[0] for row in table(HTTP, "field", "meaning")] == fields


def test_the_limits_are_those_of_the_code() -> None:
    printed = {limit: value for limit, value, _ in table(HTTP, "limit", "value", "beyond it")}
    expected = {
        "one event": f"{MAX_EVENT_BYTES // 1024} KiB of JSON: its type, customer and data, without white space",
        "body of `POST /event`": f"{MAX_EVENT_BODY_BYTES // 1024} KiB",
        "events of a batch": f"{create_events.MAX_EVENTS:,}",
        "body": f"{MAX_BODY_BYTES // 1024**2} MiB",
        "form of `POST /oauth2/token`": f"{MAX_FORM_BYTES // 1024} KiB",
        "nesting of JSON in an event": f"{MAX_DEPTH} levels",
        "page of `GET /event` or the feed, part of an export": f"{MAX_RESPONSE_BYTES // 1_000_000} MB, "
        "at least one event",
        "time for the headers to arrive": f"{HEAD_SECONDS:.0f} s",
        "time for the body to arrive": f"{BODY_SECONDS:.0f} s",
        "listed errors of one event": f"{MAX_ERRORS}",
    }
    assert printed | expected == printed


def test_the_versions_in_the_upgrade_guide_are_those_of_the_code() -> None:
    text = read("docs/guides/upgrade.md")
    versions = {data: version for data, version, *_ in table(text, "data", "version", "an older one", "a newer one")}
    assert versions["database schema"] == f"revision {revision.NEWEST}"
    assert versions["spool"] == f"format {records.VERSION}"
    migrations = sorted((ROOT / "core/stores/migrations/versions").glob("[0-9]*.py"))
    assert [row[0] for row in table(text, "revision", "content", "duration")] == [path.name[:4] for path in migrations]


def test_every_alarm_of_aws_has_a_remedy() -> None:
    rows = table(read("docs/guides/aws.md"), "alarm", "remedy")
    printed = {name for row in rows for name in row[0].split(", ")}
    resources = yaml.safe_load(read("infra/resources/alarms.yaml"))["Resources"]
    alarms = {name for name, resource in resources.items() if resource["Type"] == "AWS::CloudWatch::Alarm"}
    assert {f"{name}Alarm" for name in printed} == alarms


def test_commands_under_systemd_run_as_the_unit_does() -> None:
    unit = re.findall(r"^(\w+)=(.+)$", read("infra/systemd/audit-log.service"), re.MULTILINE)
    printed = re.findall(r"--property=(\w+)=(\S+)", read("docs/guides/operations.md"))
    assert dict(printed)["User"] == "audit-log"  # a dynamic user has the name of its unit
    assert {pair for pair in printed if pair[0] != "User"} <= set(unit)
    assert ("Environment", "AUDIT_LOG_DATA_DIR=/var/lib/audit-log") in unit
    assert "--setenv=AUDIT_LOG_DATA_DIR=/var/lib/audit-log" in read("docs/guides/operations.md")


def test_the_figures_at_the_head_of_the_performance_page_are_those_of_its_sections() -> None:
    text = read("docs/explanation/performance.md")
    head, _, sections = text.partition("\n## ")
    for row in tables(head)[0][1:]:
        for figure in re.findall(r"\d+(?:[.,]\d+)+|\d{2,}", row[1]):
            assert figure in sections, row


def texts_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.fixture(scope="module")
def product_texts() -> list[str]:
    paths = [path for package in ("core", "functions", "local_runner") for path in (ROOT / package).rglob("*.py")]
    return [text for path in paths for text in texts_of(ast.parse(path.read_text()))]


def test_the_messages_of_the_troubleshooting_table_exist(product_texts: list[str]) -> None:
    for symptom, _ in table(read("docs/quickstart.md"), "symptom", "remedy"):
        for message in quoted(symptom):
            for part in re.split(r"\.\.\.|[\d.]+", message) if " " in message else ():
                assert any(part.strip() in text for text in product_texts), message
