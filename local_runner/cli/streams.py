"""`audit-log stream ...`: streams, which send events to other systems. Each change is an event of the audit log."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.errors import DeliveryError, InvalidFieldsError, StreamNotFoundError, as_sentence
from local_runner.cli import formatting
from local_runner.cli.event_fields import customer_option
from local_runner.cli.operator_name import operator_name
from local_runner.cli.typer_app import App

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.domain.actors import Actor
    from core.domain.streams import Stream
    from core.streams.registry import Made
    from core.wiring.streams import StreamServices

app = App(help="Streams, which send events to other systems.", no_args_is_help=True)

_StreamId = Annotated[str, typer.Argument(metavar="STREAM_ID", help="Id as `audit-log stream list` shows it.")]
_JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_AFTER_HELP = "now, oldest, an RFC 3339 time of reception, an index, or a cursor of the feed"


@app.command()
def create(  # noqa: PLR0913 - one parameter per option
    *,
    name: Annotated[
        str,
        typer.Option(metavar="NAME", help="Name for people; two streams of the same customers cannot have the same."),
    ],
    kind: Annotated[str, typer.Option(metavar="KIND", help="http, splunk, otlp, s3 or directory.")],
    url: Annotated[str | None, typer.Option(metavar="URL", help="URL of the destination.")] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Another setting of the destination; repeatable."),
    ] = None,
    secrets: Annotated[
        typer.FileText | None,
        typer.Option(
            metavar="FILE",
            encoding="utf-8-sig",
            help="JSON object with the secrets of the destination; - is standard input.",
        ),
    ] = None,
    event_filter: Annotated[
        str, typer.Option("--filter", metavar="QUERY", help="Query string of GET /event. Default: all events.")
    ] = "",
    event_format: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="native, cloudevents or ocsf.")
    ] = "native",
    customer: Annotated[
        list[int] | None,
        customer_option(help="Customer to limit the stream to; repeatable. Default: all customers."),
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="PATH", help="Path in event_data to leave out; repeatable.")
    ] = None,
    hash_: Annotated[
        list[str] | None,
        typer.Option("--hash", metavar="PATH", help="Path in event_data to replace by a keyed hash; repeatable."),
    ] = None,
    batch: Annotated[int, typer.Option(metavar="COUNT", help="Most events of one request.")] = 100,
    after: Annotated[str, typer.Option(metavar="PLACE", help=f"Where to begin: {_AFTER_HELP}.")] = "now",
) -> None:
    """Create a stream, print its id, and the secret that signs its requests if there is one."""
    from pydantic import ValidationError

    from core.domain.field_errors import field_errors
    from core.domain.streams import StreamDefinition

    destination = {"kind": kind, **({"url": url} if url else {}), **dict(map(_setting, setting or ()))}
    fields = {
        "name": name,
        "destination": destination,
        "format": event_format,
        "filter": event_filter,
        "customers": customer,
        "drop": drop or (),
        "hash": hash_ or (),
        "batch": batch,
    }
    try:
        definition = StreamDefinition.model_validate(fields)
    except ValidationError as exc:
        raise typer.BadParameter(as_sentence(field_errors(exc))) from None
    given = _secrets(secrets.read()) if secrets else {}
    with _streams() as (streams, me):
        made = streams.registry.create(definition, given, _place(streams, after), me)
    _print_made(made)


@app.command("list")
def list_streams(*, as_json: _JSON = False) -> None:
    """List all streams, the oldest first."""
    with _streams() as (streams, me):
        rows = [_facts(stream, streams) for stream in streams.registry.streams(me)]
    if as_json:
        for facts in rows:
            typer.echo(formatting.to_json(facts))
        return
    if not rows:
        typer.echo("There are no streams.", err=True)
        return
    from rich.table import Column

    names = ("stream_id", "name", "kind", "state", "behind_seconds", "failures", "refused")
    columns = [Column(name.replace("_", " "), no_wrap=name == "stream_id", overflow="fold") for name in names]
    cells = ([str(facts[name]) for name in names] for facts in rows)
    formatting.print_table(formatting.table(columns, cells))


@app.command()
def show(stream_id: _StreamId, *, as_json: _JSON = False) -> None:
    """Show a stream without its secrets."""
    with _streams() as (streams, me):
        facts = _facts(streams.registry.get(stream_id, me), streams)
    formatting.print_facts(facts, as_json=as_json)


@app.command()
def pause(stream_id: _StreamId) -> None:
    """Stop sending. The stream keeps its place."""
    with _streams() as (streams, me):
        _print_state(streams.registry.pause(stream_id, me))


@app.command()
def resume(stream_id: _StreamId) -> None:
    """Send again, from the place where a stream was paused or suspended."""
    with _streams() as (streams, me):
        _print_state(streams.registry.resume(stream_id, me))


@app.command()
def replay(
    stream_id: _StreamId,
    after: Annotated[str, typer.Option(metavar="PLACE", help=f"Where to continue: {_AFTER_HELP}.")],
) -> None:
    """Move the place of a stream, so that it sends the events from there on, again or for the first time."""
    with _streams() as (streams, me):
        stream = streams.registry.replay(stream_id, _place(streams, after), me)
    typer.echo(f"{stream.stream_id} continues at index {stream.position}")


@app.command()
def test(stream_id: _StreamId) -> None:
    """Send a made-up event from this machine. The place of the stream stays as it is."""
    with _streams() as (streams, me):
        trial = streams.trials.test(streams.registry.get(stream_id, me))
    if not trial.delivered:
        raise DeliveryError(str(trial.reason))
    typer.echo("delivered")


@app.command()
def refused(
    stream_id: _StreamId,
    *,
    resend: Annotated[bool, typer.Option("--resend", help="Send them again from this machine.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Forget them. The events stay in the log.")] = False,
) -> None:
    """List the events that the destination refused, one JSON object a line, or deal with them."""
    if resend and forget:
        raise typer.BadParameter("--resend and --forget exclude each other")
    with _streams() as (streams, me):
        stream = streams.registry.get(stream_id, me)
        if resend:
            result = streams.trials.resend(stream)
            typer.echo(f"{result.delivered} delivered, {result.refused} refused again, {result.left} left")
        elif forget:
            typer.echo(f"{streams.trials.forget(stream)} forgotten")
        else:
            for refusal in streams.trials.refusals(stream):
                typer.echo(refusal.model_dump_json(exclude={"stream_id"}))


@app.command()
def rotate(stream_id: _StreamId) -> None:
    """Make a new secret that signs requests. The former one signs them as well, until the next rotation."""
    with _streams() as (streams, me):
        made = streams.registry.rotate(stream_id, me)
    _print_made(made)


@app.command()
def reseal() -> None:
    """Encrypt the secrets of all streams with the first key of AUDIT_LOG_SECRETS_KEY."""
    with _streams() as (streams, me):
        count = streams.registry.reseal(me)
    typer.echo(f"encrypted the secrets of {count} streams")


@app.command()
def delete(stream_id: _StreamId) -> None:
    """Delete a stream, its place and its secrets."""
    with _streams() as (streams, me):
        streams.registry.delete(stream_id, me)
    typer.echo(f"{formatting.visible(stream_id)} is deleted")


@contextmanager
def _streams() -> Iterator[tuple[StreamServices, Actor]]:
    """Yield the streams of an event store that exists; create and migrate nothing."""
    from core.domain.actors import Actor
    from local_runner.cli.offline import existing_store

    with existing_store(with_secrets=True) as services:
        try:
            yield services.streams, Actor(f"cli:{operator_name()}", is_operator=True)
        except StreamNotFoundError as exc:
            raise StreamNotFoundError(f"{exc} See `audit-log stream list`.") from None


def _place(streams: StreamServices, after: str) -> int:
    try:
        return streams.place(after, with_indices=True)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="--after") from None


def _setting(text: str) -> tuple[str, Any]:
    """Split a setting. Its value is JSON, or else a text."""
    name, separator, value = text.partition("=")
    if not separator:
        raise typer.BadParameter("must be NAME=VALUE", param_hint="--set")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _secrets(text: str) -> dict[str, Any]:
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        message = 'must be a JSON object, such as {"token": "..."}'
        raise InvalidFieldsError("The stream is invalid:", [{"loc": ["secrets"], "msg": message}])
    return given


def _facts(stream: Stream, streams: StreamServices) -> dict[str, Any]:
    facts = stream.model_dump(mode="json", exclude={"sealed"})
    return {**facts, "kind": stream.kind, "behind_seconds": streams.status.behind_seconds(stream)}


def _print_state(stream: Stream) -> None:
    typer.echo(f"{stream.stream_id} is {stream.state} at index {stream.position}")


def _print_made(made: Made) -> None:
    typer.echo(f"stream_id:      {made.stream.stream_id}")
    if made.signing_secret:
        typer.echo(f"signing_secret: {made.signing_secret}")
        typer.echo("The secret is stored encrypted and is not shown again.", err=True)
