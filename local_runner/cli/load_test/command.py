"""The command `audit-log load-test`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from local_runner.cli import formatting
from local_runner.cli.load_test.results import LoadPlan, LoadReport, LoadTestError

if TYPE_CHECKING:
    from collections.abc import Callable

_NOT_PROVEN: Final = 1


def load_test(  # noqa: PLR0913 - one parameter per option
    *,
    url: Annotated[str, typer.Option(metavar="URL", help="Address of the service.")] = "http://127.0.0.1:8000",
    requests: Annotated[int, typer.Option(metavar="COUNT", min=1, help="Number of events to post.")] = 5_000,
    connections: Annotated[
        int, typer.Option(metavar="COUNT", min=1, help="Number of keep-alive connections to post over.")
    ] = 16,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="LOAD_TEST_TOKEN",
            metavar="TOKEN",
            help="Access token; by default the service is asked for one. The variable keeps it out of process lists.",
        ),
    ] = None,
    patience: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="Seconds to wait for one more event to become readable.")
    ] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Post events to a running service, then check that every accepted one was stored.

    Ends with status 1 if an accepted event was not found or could not be looked for, if none was accepted, or if the
    service cannot be loaded.
    Needs the extra load-test, which `make load-test` installs.
    """
    from dataclasses import asdict

    from local_runner.cli.load_test.report import all_stored, render

    plan = LoadPlan(url, requests, connections, token, patience)
    report = _run(plan, lambda _: None) if as_json else _run_with_progress(plan)
    if as_json:
        typer.echo(formatting.to_json(asdict(report)))
    else:
        formatting.console().print(render(report))
    if not all_stored(report):
        raise typer.Exit(_NOT_PROVEN)


def _run(plan: LoadPlan, on_progress: Callable[[int], None]) -> LoadReport:
    import asyncio

    try:
        from local_runner.cli.load_test.generator import run
    except ModuleNotFoundError as exc:
        raise LoadTestError(
            f"The load test needs {exc.name}, which is not installed: run `make load-test`, or "
            "pip install 'audit-log-service[load-test]'."
        ) from exc
    return asyncio.run(run(plan, on_progress))


def _run_with_progress(plan: LoadPlan) -> LoadReport:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with formatting.progress(*columns) as bar:
        task = bar.add_task("posting events", total=plan.requests)

        def show(finished: int) -> None:
            done = finished == plan.requests
            bar.update(task, completed=finished, description="reading them back" if done else "posting events")

        return _run(plan, show)
