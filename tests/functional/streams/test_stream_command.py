"""`audit-log stream ...` on the data of a running service, whose events arrive in a directory."""

import gzip
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.settings import Settings
from local_runner.cli.main import app
from local_runner.pipeline import Pipeline
from tests.support.builders import event
from tests.support.pipelines import start_pipeline
from tests.support.service import environment
from tests.support.waiting import until


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    (tmp_path / "out").mkdir()
    started = start_pipeline(Settings(data_dir=tmp_path / "data"))
    yield started
    started.close()


@pytest.fixture
def run(pipeline: Pipeline) -> Callable[..., tuple[int, str]]:
    def command(*arguments: object, stdin: str | None = None) -> tuple[int, str]:
        settings = environment(pipeline.services.settings.data_dir)
        ended = CliRunner().invoke(app, ["stream", *map(str, arguments)], input=stdin, env=settings)
        error = ended.exception  # printed by `main`
        problem = "" if error is None else f"{error} {getattr(error, 'errors', '')}"
        return ended.exit_code, ended.output + problem

    return command


Run = Callable[..., tuple[int, str]]


def create(run: Run, directory: Path, *more: object) -> str:
    kind = ("--name", "files", "--kind", "directory", "--set", f"path={directory}", "--set", "every=0")
    code, output = run("create", *kind, "--after", "oldest", "--filter", "event_type=user.login", *more)
    assert code == 0, output
    found = re.search(r"stream-[0-9a-f]{16}", output)
    assert found
    return found[0]


def arrived(directory: Path) -> list[int]:
    """The numbers of the events in all files, in the order of their names."""
    texts = [gzip.decompress(file.read_bytes()) for file in sorted(directory.rglob("*.gz"))]
    return [json.loads(line)["event_data"]["number"] for text in texts for line in text.splitlines()]


def test_a_stream_sends_pauses_resumes_and_replays(pipeline: Pipeline, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pipeline.services.acceptance.publish([event(number) for number in range(5)])
    stream_id = create(run, out)
    until(lambda: arrived(out) == [0, 1, 2, 3, 4], shown=lambda: arrived(out))
    assert run("pause", stream_id)[0] == 0
    pipeline.services.acceptance.publish([event(5)])
    until(lambda: pipeline.services.reader.get(event(5).event_id))
    assert run("resume", stream_id)[0] == 0
    until(lambda: sorted(arrived(out)) == [0, 1, 2, 3, 4, 5], shown=lambda: arrived(out))
    for file in out.rglob("*.gz"):
        file.unlink()
    assert run("replay", stream_id, "--after", "oldest")[0] == 0
    until(lambda: arrived(out) == [0, 1, 2, 3, 4, 5], shown=lambda: arrived(out))
    shown = json.loads(run("list", "--json")[1])
    assert (shown["stream_id"], shown["state"], shown["failures"]) == (stream_id, "active", 0)
    assert "sealed" not in shown
    assert run("delete", stream_id)[0] == 0
    assert "There are no streams." in run("list")[1]


def test_a_stream_is_tried_and_shown(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    stream_id = create(run, out)
    assert run("test", stream_id) == (0, "delivered\n")
    assert arrived(out) == []
    assert run("refused", stream_id) == (0, "")
    assert run("refused", stream_id, "--forget") == (0, "0 forgotten\n")
    code, shown = run("show", stream_id)
    assert code == 0
    assert '"kind": "directory"' in shown
    out.rmdir() if not any(out.iterdir()) else out.rename(tmp_path / "moved")
    code, output = run("test", stream_id)
    assert code == 1
    assert "The directory does not exist" in output


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--kind", "pigeon"), "must have a kind"),
        (("--kind", "directory", "--set", "path=relative"), "absolute path"),
        (("--kind", "directory", "--set", "path"), "NAME=VALUE"),
        (("--kind", "directory", "--set", "path=/", "--filter", "x=1"), "no field"),
        (("--kind", "directory", "--set", "path=/", "--format", "xml"), "cloudevents"),
        (("--kind", "directory", "--set", "path=/", "--after", "99"), "beyond the end"),
        (("--kind", "directory", "--set", "path=/", "--after", "yesterday"), "cursor"),
        (("--kind", "directory", "--set", "path=/", "--secrets", "-"), "JSON object"),
    ],
)
def test_a_wrong_option_is_refused_with_the_remedy(run: Run, arguments: tuple[str, ...], problem: str) -> None:
    code, output = run("create", "--name", "x", *arguments, stdin="s3cr3t")
    assert code != 0
    assert problem in re.sub(r"[\s│]+", " ", output)
    assert "s3cr3t" not in output


def test_a_name_that_is_taken_and_an_unknown_stream_are_refused(run: Run, tmp_path: Path) -> None:
    create(run, tmp_path / "out")
    code, output = run("create", "--name", "files", "--kind", "directory", "--set", f"path={tmp_path}")
    assert (code, "Another stream has this name" in output) == (1, True)
    code, output = run("pause", "stream-0")
    assert (code, "audit-log stream list" in output) == (1, True)


def test_the_secrets_of_a_stream_are_not_in_the_database_in_clear(pipeline: Pipeline, run: Run, tmp_path: Path) -> None:
    stream_id = create(run, tmp_path / "out", "--hash", "context.ip")
    assert run("reseal") == (0, "encrypted the secrets of 1 streams\n")
    stream = pipeline.services.database.streams.stream(stream_id)
    assert stream.sealed
    assert "mask_key" not in stream.sealed
