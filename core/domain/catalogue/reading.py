"""Reads a catalogue from the content of its files: `EVENT_TYPE.json` for a type, `_NAME.json` for shared parts."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from pydantic import TypeAdapter, ValidationError

from core.domain import strict_json
from core.domain.byte_order_mark import without_mark
from core.domain.catalogue.catalogue import Catalogue, KnownType
from core.domain.catalogue.entries import MEMBER, Entry, EventType
from core.domain.catalogue.schemas import Schemas
from core.domain.field_errors import found_errors, message_of
from core.domain.models import EventType as EventTypeName
from core.errors import InvalidSettingsError, MalformedJSONError

SUFFIX: Final = ".json"
SHARED: Final = "_"
"""First character of the name of a file that describes no type."""

_KEY: Final = "[key]"  # pydantic's last step to the name of a member
_NAME: Final[TypeAdapter[str]] = TypeAdapter(EventTypeName)
_MESSAGES: Final = {"extra_forbidden": "is not a member of it"}


class Problem(NamedTuple):
    """A mistake in a file: its place as a JSON Pointer (RFC 6901), empty for the file as a whole, and the remedy."""

    file: str
    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.place + ': ' if self.place else ''}{self.message}"


class InvalidCatalogueError(InvalidSettingsError):
    """Files of the catalogue cannot be used. Correct the places that `problems` lists."""

    def __init__(self, problems: list[Problem]) -> None:
        more = f"; and {len(problems) - 1} more problems" if len(problems) > 1 else ""
        super().__init__(f"AUDIT_LOG_CATALOGUE: {problems[0]}{more}; `audit-log catalogue check` lists all")
        self.problems = problems


def digest_of(files: Mapping[str, bytes]) -> str:
    """Return the SHA-256 of what `sha256sum *.json` prints in the folder, with LC_ALL=C, in hex."""
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_catalogue(files: Mapping[str, bytes], *, strict: bool) -> Catalogue:
    """Build the catalogue of `files`, given by name.

    Raises:
        InvalidCatalogueError: a file is not JSON, not a JSON Schema 2020-12, or its `x-audit-log` is invalid.
    """
    problems: list[Problem] = []
    documents: dict[str, Any] = {}
    for name, content in sorted(files.items()):
        try:
            documents[name] = strict_json.loads(without_mark(content))
        except MalformedJSONError as exc:
            problems.append(Problem(name, "", str(exc)))
    schemas = Schemas(documents)
    problems += [Problem(name, _pointer(place), message) for name, place, message in schemas.problems()]
    about: dict[str, EventType] = {}
    name_of: dict[str, str] = {}
    for name, document in documents.items():
        if not name.startswith(SHARED) and isinstance(document, dict):
            try:
                about[name] = _describe(name, document)
            except ValidationError as exc:
                problems += _problems_of(exc, name)
            if (first := name_of.setdefault(type_of(name), name)) != name:
                problems.append(Problem(name, "", f"is about the same event type as {first}"))
    if problems:
        raise InvalidCatalogueError(problems)
    types = {
        each.event_type: KnownType(each, None if each.mode == "off" else schemas.validator(name))
        for name, each in about.items()
    }
    return Catalogue(types, digest_of(files), strict=strict)


def try_examples(catalogue: Catalogue, files: Mapping[str, bytes]) -> Iterator[Problem]:
    """Yield the `examples` of the files that do not conform to their own schema, whatever its mode."""
    schemas = Schemas({name: strict_json.loads(without_mark(content)) for name, content in files.items()})
    name_of = {type_of(name): name for name in files if not name.startswith(SHARED)}
    for about in catalogue.types:
        name = name_of[about.event_type]
        check = schemas.validator(name)
        for index, example in enumerate(about.schema_.get("examples", [])):
            for error in check.errors(example, in_full=True):
                yield Problem(name, _pointer(("examples", index, *error["loc"][1:])), error["msg"])


def type_of(name: str) -> str:
    """Return the event type that a file is about. In its name, `%2F` stands for a slash (RFC 3986 section 2.1)."""
    return unquote(name.removesuffix(SUFFIX))


def _describe(name: str, document: dict[str, Any]) -> EventType:
    """Return what a file says about its type. Raises ValidationError."""
    event_type = _NAME.validate_python(type_of(name))
    entry = Entry.model_validate(document.get(MEMBER, {}))
    texts = {key: document[key] for key in ("title", "description") if isinstance(document.get(key), str)}
    return EventType.model_validate({**entry.model_dump(), **texts, "event_type": event_type, "schema": document})


def _problems_of(error: ValidationError, name: str) -> Iterator[Problem]:
    for each in found_errors(error):
        place = _pointer((MEMBER, *(step for step in each["loc"] if step != _KEY))) if error.title == "Entry" else ""
        yield Problem(name, place, message_of(each, _MESSAGES))


def _pointer(place: tuple[str | int, ...]) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in place)
