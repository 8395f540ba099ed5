"""The command `audit-log load-test`: options in, a progress bar and a verdict out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from local_runner.cli.load_test.report import render

if TYPE_CHECKING:
    from local_runner.cli.load_test.generator import LoadPlan, LoadReport

_NOT_PROVEN = 1
_NOT_TRIED = 2


def load_test(  # noqa: PLR0913  # one parameter per option
    *,
    url: Annotated[str, typer.Option(help="Where the service is.")] = "http://127.0.0.1:8000",
    requests: Annotated[int, typer.Option(min=1, help="How many events to post.")] = 5_000,
    connections: Annotated[int, typer.Option(min=1, help="How many keep-alive connections to post over.")] = 16,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="LOAD_TEST_TOKEN",
            help="A token; by default the service is asked for one. The environment keeps it out of process lists.",
        ),
    ] = None,
    patience: Annotated[float, typer.Option(min=0, help="Seconds to wait for one more event to be stored.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Post events to a running service, then check that every accepted one was stored.

    Ends with status 1 if an accepted event was not found or none was accepted, and 2 if the load could not be tried.
    """
    from local_runner.cli.load_test.generator import (  # noqa: PLC0415 - an HTTP client for this command alone
        LoadPlan,
        LoadTestError,
    )

    plan = LoadPlan(url, requests, connections, token, patience)
    try:
        report = _run_quietly(plan) if as_json else _run_with_progress(plan)
    except LoadTestError as exc:
        typer.echo(f"load-test: {exc}", err=True)
        raise typer.Exit(_NOT_TRIED) from exc
    if as_json:
        typer.echo(orjson.dumps(report, option=orjson.OPT_NON_STR_KEYS))
    else:
        Console().print(render(report))
    if report.missing or not report.accepted:
        raise typer.Exit(_NOT_PROVEN)


def _run_quietly(plan: LoadPlan) -> LoadReport:
    from local_runner.cli.load_test.generator import run  # noqa: PLC0415 - as above

    return asyncio.run(run(plan, on_progress=lambda _: None))


def _run_with_progress(plan: LoadPlan) -> LoadReport:
    from local_runner.cli.load_test.generator import run  # noqa: PLC0415 - as above

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("posting events", total=plan.requests)

        def show(finished: int) -> None:
            done = finished == plan.requests
            progress.update(task, completed=finished, description="looking for them" if done else "posting events")

        return asyncio.run(run(plan, show))
