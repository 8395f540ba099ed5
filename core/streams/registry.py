"""Registration of streams: what people do with them, each act stored together with its audit event.

A token that is limited to customers sees only the streams that are limited to some of these, and makes no others.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from core.domain.actors import Actor
from core.domain.clock import Clock
from core.domain.models import Event
from core.domain.streams import MAX_LIMITED_STREAMS, State, Stream, StreamDefinition
from core.domain.versions import change_newest
from core.errors import (
    FieldError,
    InvalidFieldsError,
    MisconfiguredError,
    StreamNotFoundError,
    StreamStateError,
    TooManyStreamsError,
)
from core.ports.streams import SecretSeal, StreamAdmin
from core.streams import kinds
from core.streams.endpoint import parse_endpoint
from core.streams.records import stream_record

MASK_KEY: Final = "mask_key"
"""Name of the key of keyed hashes among the sealed secrets."""


class Made(NamedTuple):
    """A stream, and the signing secret that was made for it, to be shown once."""

    stream: Stream
    signing_secret: str | None


class StreamRegistry:
    """Changes streams. Every method may raise StoreUnavailableError: nothing was changed, and trying again helps."""

    def __init__(self, store: StreamAdmin, seal: Callable[[], SecretSeal | None], egress: object, clock: Clock) -> None:
        self._store = store
        self._seal = seal
        self._egress = egress
        self._clock = clock

    def streams(self, actor: Actor) -> list[Stream]:
        """Return the streams that the actor may see, the oldest first."""
        return [stream for stream in self._store.streams() if actor.may_see(stream.customers)]

    def get(self, stream_id: str, actor: Actor) -> Stream:
        """Return one stream.

        Raises:
            StreamNotFoundError: there is none with this id, or the actor may not see it.
        """
        stream = self._store.stream(stream_id)
        if not actor.may_see(stream.customers):
            raise StreamNotFoundError("There is no such stream.")
        return stream

    def create(self, definition: StreamDefinition, given: Mapping[str, Any], position: int, actor: Actor) -> Made:
        """Register a stream that begins at a position, with the secrets of its destination.

        Raises:
            InvalidFieldsError: the settings or the secrets are not valid, or not allowed to the actor.
            NameTakenError: another stream has the name.
            TooManyStreamsError: there are too many.
        """
        stream_id, now = f"stream-{secrets.token_hex(8)}", self._now()
        definition, plain = self._checked(definition, given, actor)
        if actor.customers is not None and len(self.streams(actor)) >= MAX_LIMITED_STREAMS:
            raise TooManyStreamsError(f"These customers have {MAX_LIMITED_STREAMS} streams already: delete one first.")
        plain, shown = kinds.with_signing_secret(definition.kind, plain)
        stream = Stream(
            **dict(definition),
            stream_id=stream_id,
            sealed=self._sealed(stream_id, definition, plain, None),
            position=position,
            created_at=now,
            changed_at=now,
        )
        self._try_to_open(stream)
        self._store.add_stream(stream, self._record("created", stream, actor, **_facts(stream)))
        return Made(stream, shown)

    def replace(
        self, stream: Stream, definition: StreamDefinition, given: Mapping[str, Any] | None, actor: Actor
    ) -> Stream:
        """Replace the definition of a stream, and its secrets unless `given` is None.

        Raises:
            InvalidFieldsError: see `create`; or the kind changes, which needs another stream; or the URL leads to
                another host and `given` is None: who may change a stream could read its secrets there.
            VersionConflictError: it was changed since it was read.
            NameTakenError: another stream has the name.
        """
        if definition.kind != stream.kind:
            raise _invalid(["destination", "kind"], f"must stay {stream.kind}: create another stream")
        opened = self._opened(stream)
        plain = {name: value for name, value in opened.items() if name != MASK_KEY}
        kept = {name: plain[name] for name in (kinds.SIGNING_SECRETS,) if name in plain}
        sends_secrets = given is None and plain.keys() > kept.keys()
        if given is not None:
            plain = {**given, **kept}
        definition, plain = self._checked(definition, plain, actor, has_signing=True)
        if sends_secrets and _origin(definition) != _origin(stream):
            raise _invalid(
                ["secrets"], "must be sent again: the URL leads to another host, which must not get the former"
            )
        sealed = self._sealed(stream.stream_id, definition, plain, opened.get(MASK_KEY))
        changed = stream.model_copy(update={**dict(definition), "sealed": sealed, "changed_at": self._now()})
        self._try_to_open(changed)
        return self._store.change_stream(changed, self._record("changed", changed, actor, **_facts(changed)))

    def pause(self, stream_id: str, actor: Actor) -> Stream:
        """Stop sending; the place is kept.

        Raises:
            StreamNotFoundError: see `get`.
            StreamStateError: it is suspended already.
        """
        return self._set_state(stream_id, actor, "paused", "paused", {"active", "paused"})

    def resume(self, stream_id: str, actor: Actor) -> Stream:
        """Send again, from the place where the stream stopped. Raises StreamNotFoundError, see `get`."""
        return self._set_state(stream_id, actor, "active", "resumed", {"active", "paused", "suspended"})

    def replay(self, stream_id: str, position: int, actor: Actor) -> Stream:
        """Move the place, so that all selected events from there on are sent (again).

        Raises:
            StreamNotFoundError: see `get`.
        """

        def act(stream: Stream) -> Stream:
            changed = stream.model_copy(update={"changed_at": self._now()})
            return self._store.change_stream(changed, self._record("replayed", stream, actor), position=position)

        return self._retried(stream_id, actor, act)

    def rotate(self, stream_id: str, actor: Actor) -> Made:
        """Make a new signing secret. Requests are signed with the former one as well, until the next rotation.

        Raises:
            StreamNotFoundError: see `get`.
            StreamStateError: its kind does not sign.
        """
        shown: list[str] = []

        def act(stream: Stream) -> Stream:
            plain, new = kinds.with_signing_secret(stream.kind, self._opened(stream))
            if new is None:
                raise StreamStateError("Only streams of the kind http have a secret that can be rotated.")
            shown[:] = [new]
            sealed = self._require_seal().seal(stream.stream_id, plain)
            changed = stream.model_copy(update={"sealed": sealed, "changed_at": self._now()})
            return self._store.change_stream(changed, self._record("rotated", stream, actor))

        return Made(self._retried(stream_id, actor, act), shown[0])

    def reseal(self, actor: Actor) -> int:
        """Encrypt the secrets of all streams with the first key of the settings. Returns their number.

        Raises:
            SecretUnavailableError: no key opens the secrets of a stream.
        """
        sealed = [stream for stream in self.streams(actor) if stream.sealed]
        for stream in sealed:

            def act(current: Stream) -> Stream:
                again = self._require_seal().seal(current.stream_id, self._opened(current))
                changed = current.model_copy(update={"sealed": again})
                return self._store.change_stream(changed, self._record("resealed", current, actor))

            self._retried(stream.stream_id, actor, act)
        return len(sealed)

    def delete(self, stream_id: str, actor: Actor) -> None:
        """Delete a stream. Raises StreamNotFoundError, see `get`."""

        def act(stream: Stream) -> Stream:
            self._store.delete_stream(stream, self._record("deleted", stream, actor))
            return stream

        self._retried(stream_id, actor, act)

    def _set_state(self, stream_id: str, actor: Actor, state: State, kind: str, allowed: set[State]) -> Stream:
        def act(stream: Stream) -> Stream:
            if stream.state not in allowed:
                raise StreamStateError(f"The stream is {stream.state}: it sends nothing.")
            if stream.state == state:
                return stream
            changed = stream.model_copy(update={"state": state, "reason": None, "changed_at": self._now()})
            return self._store.change_stream(changed, self._record(kind, stream, actor))

        return self._retried(stream_id, actor, act)

    def _retried(self, stream_id: str, actor: Actor, act: Callable[[Stream], Stream]) -> Stream:
        return change_newest(lambda: self.get(stream_id, actor), act)

    def _checked(
        self, definition: StreamDefinition, given: Mapping[str, Any], actor: Actor, *, has_signing: bool = False
    ) -> tuple[StreamDefinition, dict[str, Any]]:
        try:
            definition = definition.model_copy(update={"customers": actor.limited(definition.customers)})
        except ValueError as exc:
            raise _invalid(["customers"], str(exc)) from None
        if not has_signing and kinds.SIGNING_SECRETS in given:
            raise _invalid(["secrets", kinds.SIGNING_SECRETS], "must be left out: the service makes it")
        try:
            config, plain = kinds.checked(definition.kind, definition.destination, given)
            reason = None if actor.is_operator else kinds.operator_only(definition.kind, config, plain)
        except MisconfiguredError as exc:
            raise _invalid(["destination", "kind"], str(exc)) from None
        if reason:
            raise _invalid(["destination"], reason)
        return definition.model_copy(update={"destination": config}), plain

    def _sealed(
        self, stream_id: str, definition: StreamDefinition, plain: Mapping[str, Any], mask_key: str | None
    ) -> str | None:
        secret = {name: value for name, value in plain.items() if value not in (None, [], {}, "")}
        if definition.hash:
            secret[MASK_KEY] = mask_key or secrets.token_hex(32)
        return self._require_seal().seal(stream_id, secret) if secret else None

    def _opened(self, stream: Stream) -> dict[str, Any]:
        return self._require_seal().open(stream.stream_id, stream.sealed) if stream.sealed else {}

    def _require_seal(self) -> SecretSeal:
        seal = self._seal()
        if seal is None:
            raise _invalid(["secrets"], "cannot be kept: the operator has to set AUDIT_LOG_SECRETS_KEY first")
        return seal

    def _try_to_open(self, stream: Stream) -> None:
        """Refuse settings that are known not to work without sending, such as an address that is not public."""
        plain = {name: value for name, value in self._opened(stream).items() if name != MASK_KEY}
        try:
            kinds.open_kind(stream, plain, self._egress).close()
        except MisconfiguredError as exc:
            raise _invalid(["destination"], str(exc)) from None

    def _record(self, kind: str, stream: Stream, actor: Actor, **facts: object) -> Event:
        return stream_record(kind, stream.stream_id, stream, at=self._now(), by=actor.name, **facts)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _origin(stream: StreamDefinition) -> tuple[str, str, int] | None:
    """Return scheme, host and port of the URL that requests with secrets are sent to; None if the kind has none."""
    url = stream.destination.get("url")
    if url is None:
        return None
    endpoint = parse_endpoint(url)
    return endpoint.scheme, endpoint.host.lower(), endpoint.port


def _facts(stream: StreamDefinition) -> dict[str, object]:
    """Return what a record says of a definition. A URL may have a secret in its query."""
    where = {
        name: urlsplit(str(value))._replace(query="", fragment="").geturl() if name == "url" else value
        for name, value in stream.destination.items()
        if name in {"kind", "url", "bucket", "prefix", "path"} and value is not None
    }
    return {
        "destination": where,
        "format": stream.format,
        "filter": stream.filter,
        "customers": None if stream.customers is None else list(stream.customers),
        "drop": list(stream.drop),
        "hash": list(stream.hash),
    }


def _invalid(loc: Sequence[str], message: str) -> InvalidFieldsError:
    return InvalidFieldsError("The stream is invalid: see errors.", [FieldError(loc=[*loc], msg=message)])
