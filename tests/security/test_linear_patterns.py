"""Every regular expression takes time in proportion to what it is matched with.

`re` backtracks, with the interpreter's lock held: one that takes quadratic time over a header stops every thread. A new
pattern has a name at the level of its module, and its worst case is listed here.
"""

import ast
import importlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("core", "functions", "local_runner", "audit_log_client", "chalice_config")
LENGTH = 64 * 1024
"""Of the longest header or path that the service reads."""
SECONDS = 0.5
"""Of processor time. The linear ones need some milliseconds, a quadratic one 2 to 15 seconds."""

MATCHING = ("match", "fullmatch", "search", "findall", "finditer", "split", "sub", "subn")
BUILT_AT_RUN_TIME = {"core.queues.kafka.address"}
"""Modules that match with a pattern made of the operator's own settings."""


class Worst(NamedTuple):
    """A text that begins as the pattern asks, continues to match for as long as possible, and ends otherwise."""

    start: str
    repeated: str
    end: str = "!"


WORST = {
    "core.aws.secrets._ARN": Worst("arn:aws", "a-"),
    "core.auth.roles._ROLE": Worst("a=1", ",1", "x"),
    "core.auth.sign_in._SUBJECT": Worst("", "a", "\n"),
    "core.domain.catalogue.entries._BRACE": Worst("", "a"),
    "core.domain.catalogue.entries._LANGUAGE": Worst("en", "-aa", "-"),
    "core.domain.catalogue.entries._PLACEHOLDER": Worst("", "{a"),
    "core.domain.catalogue.schemas._BARE_PERCENT": Worst("", "%", ""),
    "functions.catalogue._TAGS": Worst("", '"'),
    "functions.sign_in.session._SECRET": Worst("", "a"),
    "core.domain.models._CONTROL_CHARACTER": Worst("", "a", ""),
    "core.domain.recent_events._INTEGRAL_FLOAT": Worst("", "1", ""),
    "core.domain.models._UUID": Worst("00000000", "-0000"),
    "core.queues.kafka.address._NAME": Worst("a", ".a"),
    "core.queues.kafka.address._SERVER": Worst("", "a."),
    "core.queues.kafka.address._TOPIC": Worst("", "."),
    "core.queues.sqs.address._PATH": Worst("/000000000000/", "a"),
    "core.queues.sqs.address._REGION": Worst("sqs.aa", "-a"),
    "core.settings.values._EXAMPLE": Worst("", "change"),
    "core.settings.values._ORIGIN": Worst("https://", "a", "/"),
    "core.settings.values._RATE": Worst("", "1"),
    "core.settings.values._ANCHOR": Worst("https://", "a", "@"),
    "local_runner.http.places._PARAMETER": Worst("", "{a"),
    "local_runner.cli.typer_app._TAG": Worst("", "[", ""),
    "core.stores.partitions._BOUNDS": Worst("FOR VALUES FROM ('", "1"),
    "core.streams.destinations.s3._BUCKET": Worst("a", "a", "!"),
    "core.streams.destinations.s3._PREFIX": Worst("a", "a/", " "),
    "core.streams.destinations.s3._REGION": Worst("", "a", " "),
    "core.streams.settings_fields._HEADER_NAME": Worst("", "a", " "),
    "core.streams.settings_fields._HEADER_VALUE": Worst("a", " ", ""),
    "core.streams.endpoint._BRACKETED": Worst("[", "a", "-"),
    "core.streams.endpoint._LABEL": Worst("a", "-"),
    "core.streams.endpoint._NUMBER": Worst("0x", "a"),
    "core.streams.endpoint._VISIBLE": Worst("", "a", " "),
    "core.streams.formats.cloudevents._NONCHARACTERS": Worst("", "a", ""),
    "core.domain.traceparent._FORM": Worst(f"01-{'1' * 32}-{'1' * 16}-01", "-", "\n"),
    "functions.http.bearer._BEARER": Worst("bearer ", "="),
    "functions.alerts.views._RULE_ID": Worst("rule-", "a", " "),
    "functions.http.definitions._TAG": Worst('"', "1"),
    "functions.streams.views._STREAM_ID": Worst("stream-", "a", " "),
    "functions.http.client_credentials._POSSIBLE_ID": Worst("", "a", " "),
    "functions.http.event_batch._COMMA": Worst("", " "),
    "functions.http.event_batch._HEAD": Worst('{"events":', " "),
    "functions.http.event_batch._TAIL": Worst("]", " "),
    "functions.http.request._PLAIN_PATH": Worst("", "/a"),
    "functions.http.request_body._VISIBLE": Worst("", "a", " "),
    "core.domain.filter_text._OPERATOR": Worst("a", "[", "]"),
    "core.domain.filter_values._RFC_3339": Worst("2026-01-31T12:00:00.", "1"),
    "core.domain.matching._WORD": Worst('"', "a", ""),
    "core.domain.filter_values._INDEX": Worst("", "0", ""),
    "core.domain.filter_values._INTEGER": Worst("-", "1"),
    "core.domain.filter_values._NUMBER": Worst("1.", "1"),
    "core.domain.filter_values._STEP": Worst("a", "[0]"),
    "core.stores.json_text._LARGE_DOUBLE": Worst('"', '\\"'),
    "core.domain.filter_values._UNNAMEABLE": Worst("", "a", ""),
    "local_runner.http.parser._REQUEST_LINE": Worst("A /", "a", " HTTP/1.1\n!"),
    "local_runner.spool.names._LINE": Worst("", "0"),
    "local_runner.spool.records._HEADER": Worst("audit-log spool ", "1"),
    "local_runner.cli.formatting._BLANK": Worst("", "\x7f", ""),
    "local_runner.cli.times._AGO": Worst("", "1"),
    "local_runner.cli.times._MILLISECONDS": Worst("", "1"),
    "local_runner.cli.times._UNIX": Worst("123456789.", "1"),
    "local_runner.cli.remote.event_display._OTHER_JSON": Worst("[", "a", "\n"),
    "local_runner.cli.remote.event_display._PLAIN_NAME": Worst("", "a", " "),
    "local_runner.cli.remote.event_display._PLAIN_VALUE": Worst("", "a", " "),
    "local_runner.cli.remote.event_stream._BATCH": Worst("{", " "),
    "core.domain.canonical_json._INTEGRAL_DOUBLE": Worst("", ".0", ""),
    "core.domain.canonical_json._BEYOND_BMP": Worst("", "a", ""),
    "core.domain.canonical_json._EXPONENT": Worst('"', '\\"', ""),
    "core.domain.queued_events._ID": Worst("00000000", "-0000"),
    "core.domain.queued_events._RECEIVED_AT": Worst("2026-01-31T12:00:00.000Z", "Z"),
    "core.ledger.checkpoints._ORIGIN": Worst("", "a", " "),
    "core.ledger.checkpoints._SIZE": Worst("", "1"),
    "core.ledger.notes._CONTROL": Worst("", "a", ""),
    "core.ledger.notes._LINE": Worst("\u2014 a ", "a"),
    "core.ledger.tiles._PATH": Worst("0/", "x000/"),
    "core.settings.values._LEDGER_ORIGIN": Worst("", "a", " "),
    "audit_log_client.ledger.documents._DATA": Worst(f"audit-log.data/1\n{'0' * 32}\n{{", "a"),
    "audit_log_client.ledger.documents._DIGEST": Worst("", "a"),
    "audit_log_client.ledger.documents._HEAD": Worst(f"audit-log.head/1\n{'0' * 32}\n{{", "a"),
    "audit_log_client.ledger.documents._TIME": Worst("2026-01-31T12:00:00.000Z", "Z"),
    "audit_log_client.ledger.documents._UUID": Worst("00000000", "-0000"),
    "audit_log_client.ledger.encoding._NUMBER": Worst("", "1"),
    "audit_log_client.ledger.notes._CONTROL": Worst("", "a", ""),
    "audit_log_client.ledger.notes._LINE": Worst("\u2014 a ", "a", " "),
    "audit_log_client.ledger.notes._VKEY": Worst("", "a"),
    "audit_log_client.ledger.policy._FORBIDDEN": Worst("", "a", ""),
    "audit_log_client.ledger.policy._THRESHOLD": Worst("", "1"),
}
"""By module and name."""

REPEATED = (
    " ",
    "\t",
    "\n",
    "a",
    "A",
    "0",
    "1",
    ".",
    ".a",
    "-",
    "-a",
    "_",
    ",",
    ";",
    ":",
    "/",
    "=",
    '"',
    "[",
    "[0]",
    "\0",
)
"""What every pattern is given as well: a worst case may have been overlooked."""


@dataclass(frozen=True)
class Found:
    """A pattern, and the methods by which its module uses it."""

    name: str
    pattern: re.Pattern[Any]
    methods: frozenset[str]

    def seconds(self, text: str) -> float:
        given = text if isinstance(self.pattern.pattern, str) else text.encode("latin-1")
        started = time.thread_time()
        for method in self.methods:
            if method in {"sub", "subn"}:
                getattr(self.pattern, method)(given[:0], given)
            else:
                getattr(self.pattern, method)(given)
        return time.thread_time() - started


MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text())
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}


def compiled(tree: ast.Module) -> dict[str, ast.Call]:
    """By name: the calls of `re.compile` whose pattern is a name of the module."""
    calls: dict[str, ast.Call] = {}
    for statement in tree.body:
        match statement:
            case (
                ast.AnnAssign(target=ast.Name(id=name), value=ast.Call(func=ast.Attribute(attr="compile")) as call)
                | ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Attribute(attr="compile")) as call)
            ):  # fmt: skip
                calls[name] = call
    return calls


def uses(tree: ast.Module, name: str) -> frozenset[str]:
    """What of the module or pattern `name` is called."""
    return frozenset(
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == name
    )


def patterns() -> Iterator[Found]:
    for module, tree in MODULES.items():
        for name in compiled(tree):
            methods = uses(tree, name) & set(MATCHING)
            yield Found(f"{module}.{name}", getattr(importlib.import_module(module), name), methods)


PATTERNS = {found.name: found for found in patterns()}


def test_the_worst_case_of_every_pattern_is_listed() -> None:
    assert PATTERNS.keys() == WORST.keys()
    assert all(found.methods for found in PATTERNS.values()), "a pattern that nothing is matched with"


def test_every_pattern_has_a_name_by_which_it_is_found_here() -> None:
    for module, tree in MODULES.items():
        imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "re"]
        calls = [
            node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "re.compile"
        ]
        assert not imported, f"{module}: import re as a whole"
        assert len(calls) == len(compiled(tree)), f"{module}: give every pattern a name at the level of the module"
        if module not in BUILT_AT_RUN_TIME:
            assert not uses(tree, "re") & set(MATCHING), f"{module}: match by a pattern that has a name"


def test_pydantic_matches_by_automata() -> None:
    """Patterns of fields are Rust's, which never backtrack, unless a model asks for Python's."""
    for module, tree in MODULES.items():
        assert not any(isinstance(node, ast.Constant) and node.value == "python-re" for node in ast.walk(tree)), module


PARSER: Any = importlib.import_module("re._parser")
SINGLE = {"LITERAL", "NOT_LITERAL", "IN", "ANY"}
"""What matches one character, and so fails where it began."""


def fails_where_it_began(body: Any) -> bool:
    """Whether a round of a possessive repeat that fails leaves the position alone, as Python before 3.11.5 needs it.

    It does not go back itself (CPython issue 106052), but each alternative begins at the start of the round.
    """
    if len(body) == 1 and body[0][0].name == "BRANCH":
        *_, body = body[0][1][1]
    if len(body) == 1 and body[0][0].name in {"MAX_REPEAT", "POSSESSIVE_REPEAT"}:
        body = body[0][1][2]
    return len(body) == 1 and body[0][0].name in SINGLE


def possessive(parsed: Any) -> Iterator[Any]:
    """The bodies of all possessive repeats and atomic groups in a parsed pattern."""
    if isinstance(parsed, PARSER.SubPattern):
        for operation, argument in parsed:
            if operation.name == "POSSESSIVE_REPEAT":
                yield argument[2]
            elif operation.name == "ATOMIC_GROUP":
                yield argument
            yield from possessive(argument)
    elif isinstance(parsed, tuple | list):
        for part in parsed:
            yield from possessive(part)


@pytest.mark.parametrize("name", WORST)
def test_a_possessive_repeat_means_the_same_to_python_before_3_11_5(name: str) -> None:
    bodies = possessive(PARSER.parse(PATTERNS[name].pattern.pattern))
    assert all(map(fails_where_it_began, bodies))


@pytest.mark.parametrize("pattern", [r"(?:ab?c)*+", r"(?>ab?c)", r'(?:[^"]++|\\.)*+', r"(?:\[(?:[0-9]|\*)\])*+"])
def test_a_possessive_repeat_that_would_stop_in_its_last_round_is_noticed(pattern: str) -> None:
    assert not all(map(fails_where_it_began, possessive(PARSER.parse(pattern))))


@pytest.mark.parametrize("name", WORST)
def test_a_pattern_takes_linear_time(name: str) -> None:
    start, worst, end = WORST[name]
    for repeated in (worst, *REPEATED):
        for text in (start + repeated * (LENGTH // len(repeated)), repeated * (LENGTH // len(repeated))):
            assert PATTERNS[name].seconds(text + end) < SECONDS, (repeated, end)
            assert PATTERNS[name].seconds(text) < SECONDS, repeated
