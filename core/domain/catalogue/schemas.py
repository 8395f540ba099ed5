"""JSON Schemas (2020-12) of event types: compiled at the start, with patterns that match in linear time.

A schema refers to files of its folder only, nothing is fetched. `format` is checked (JSON Schema 2020-12, Validation,
section 7.2.2), and an unknown one is an error of the file, like a pattern that the linear engine does not support.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote

import jsonschema_rs
from jsonschema_rs import ValidationError

from core.errors import FieldError

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
"""The only value of `$schema`, which may be left out."""

MAX_ERRORS: Final = 20
"""Errors listed for one event."""

_BASE: Final = "catalogue:/"
_MAX_MESSAGE: Final = 200
_NO_FILE: Final = "names no file of this directory: nothing is fetched from elsewhere"
_SAFE: Final = "%!$&'()*+,;=:@~"
"""Characters of a path (RFC 3986 section 3.3), and the percent of octets that the name of a file has encoded."""
_BARE_PERCENT: Final = re.compile("%(?![0-9A-Fa-f]{2})")
_DATA: Final = frozenset({"const", "default", "enum", "examples"})
"""Keywords whose values are instances: a `$ref` in them is data."""
_REFERENCES: Final = frozenset({"$ref", "$dynamicRef"})

Place = tuple[str | int, ...]


def reference_to(name: str) -> str:
    """Return the name of a file as a `$ref` has it (RFC 3986): a type may have spaces and letters of any script."""
    return _BARE_PERCENT.sub("%25", quote(name, safe=_SAFE, errors="surrogatepass"))


def _uri(name: str) -> str:
    return _BASE + reference_to(name)


class Schemas:
    """The schema documents of a folder, which may refer to each other by file name."""

    def __init__(self, documents: Mapping[str, Any]) -> None:
        """`documents` by file name."""
        self._documents = documents
        self._references = frozenset(map(reference_to, documents))

    def problems(self) -> list[tuple[str, Place, str]]:
        """Return what cannot be used: file name, place and message of each.

        Schemas are only compiled if all references name files of the folder.
        """
        found = [(name, *problem) for name in self._documents for problem in self._look(name)]
        return found or [(name, *problem) for name in self._documents for problem in self._compile(name)]

    def validator(self, name: str) -> "SchemaCheck":
        """Compile a document; none of the folder has problems."""
        return SchemaCheck(self._validator(name))

    @cached_property
    def _registry(self) -> jsonschema_rs.Registry:
        return jsonschema_rs.Registry([(_uri(name), document) for name, document in self._documents.items()])

    def _validator(self, name: str) -> jsonschema_rs.Draft202012Validator:
        return jsonschema_rs.Draft202012Validator(
            self._documents[name],
            base_uri=_uri(name),
            registry=self._registry,
            offline=True,
            pattern_options=jsonschema_rs.RegexOptions(),
            validate_formats=True,
            ignore_unknown_formats=False,
        )

    def _look(self, name: str) -> Iterator[tuple[Place, str]]:
        document = self._documents[name]
        if not isinstance(document, dict):
            yield (), "must be a JSON object"
        for place, keyword, text in _identifiers(document, ()):
            if keyword == "$schema" and text != DIALECT:
                yield place, f"must be {DIALECT}, or be left out"
            if keyword == "$id":
                yield place, "must be left out: files of the catalogue refer to each other by name"
            file = text.partition("#")[0]
            if keyword in _REFERENCES and file and file not in self._references:
                right = f"must begin with {reference_to(file)}: a reference is percent-encoded"
                yield place, right if file in self._documents else _NO_FILE

    def _compile(self, name: str) -> Iterator[tuple[Place, str]]:
        resolver = self._registry.resolver(_uri(name))
        is_resolved = True
        for place, keyword, text in _identifiers(self._documents[name], ()):
            try:
                if keyword in _REFERENCES:  # also unused ones, which compiling does not follow
                    resolver.lookup(text)
            except jsonschema_rs.ReferencingError:
                is_resolved = False
                yield place, "leads nowhere: name a place in a file, such as _common.json#/$defs/actor"
        try:
            if is_resolved:
                self._validator(name)
        except ValidationError as exc:
            yield tuple(exc.instance_path), _message_of(exc)


class SchemaCheck:
    """Check of event data against a compiled schema."""

    def __init__(self, validator: jsonschema_rs.Draft202012Validator) -> None:
        self.is_valid: Callable[[Any], bool] = validator.is_valid
        self._validator = validator

    def errors(self, event_data: Any, *, in_full: bool) -> list[FieldError]:
        """Return the first errors of data that is not valid; only one unless `in_full`, in much less time.

        Listing errors costs up to 20 µs for each that the data has, and 256 KiB can have a hundred thousand.
        """
        if not in_full:
            try:
                self._validator.validate(event_data)
            except ValidationError as exc:
                return [_explain(exc)]
            return []
        errors = [_explain(error) for error in self._validator.iter_errors(event_data)]
        if len(errors) > MAX_ERRORS:
            errors[MAX_ERRORS:] = [{"loc": ["event_data"], "msg": f"and {len(errors) - MAX_ERRORS} more errors"}]
        return errors


def _message_of(error: ValidationError) -> str:
    """Return the mistake in a schema. Unlike messages about events, it may repeat values."""
    keyword = error.instance_path[-1] if error.instance_path else ""
    if keyword == "format":
        return "is no known format"
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Format):
        return "is no regular expression that takes linear time: it has no look-around and no backreference"
    return error.message


def _identifiers(value: Any, place: Place) -> Iterator[tuple[Place, str, str]]:
    """Yield the place, name and value of each keyword that identifies a schema or refers to one."""
    if isinstance(value, dict):
        for keyword, member in value.items():
            if keyword in {"$id", "$schema", *_REFERENCES} and isinstance(member, str):
                yield (*place, keyword), keyword, member
            elif keyword not in _DATA:
                yield from _identifiers(member, (*place, keyword))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _identifiers(item, (*place, index))


_MESSAGES: Final[Mapping[str, Callable[[Any], str]]] = {
    "required": lambda _: "is required",
    "additionalProperties": lambda _: "is not a property that the schema has",
    "unevaluatedProperties": lambda _: "is not a property that the schema has",
    "type": lambda kind: f"must be of type {' or '.join(kind.types)}",
    "enum": lambda kind: f"must be one of {_listed(kind.options)}",
    "const": lambda kind: f"must be {_listed([kind.expected_value])}",
    "format": lambda kind: f"must have the format {kind.format}",
    "pattern": lambda kind: f"must match the pattern {kind.pattern}",
    "minimum": lambda kind: f"must be at least {kind.limit}",
    "maximum": lambda kind: f"must be at most {kind.limit}",
    "exclusiveMinimum": lambda kind: f"must be more than {kind.limit}",
    "exclusiveMaximum": lambda kind: f"must be less than {kind.limit}",
    "multipleOf": lambda kind: f"must be a multiple of {kind.multiple_of}",
    "minLength": lambda kind: f"must have at least {kind.limit} characters",
    "maxLength": lambda kind: f"must have at most {kind.limit} characters",
    "minItems": lambda kind: f"must have at least {kind.limit} items",
    "maxItems": lambda kind: f"must have at most {kind.limit} items",
    "minProperties": lambda kind: f"must have at least {kind.limit} members",
    "maxProperties": lambda kind: f"must have at most {kind.limit} members",
    "uniqueItems": lambda _: "must not repeat an item",
}
"""By keyword. Messages repeat the schema and never the event: its values may be secrets in the wrong place."""


def _explain(error: ValidationError) -> FieldError:
    kind: Any = error.kind
    message = _MESSAGES.get(kind.name, lambda _: f"does not conform to {kind.name} of the schema")(kind)
    loc = ["event_data", *error.instance_path]
    match kind:
        case jsonschema_rs.ValidationErrorKind.Required():
            loc.append(kind.property)
        case (
            jsonschema_rs.ValidationErrorKind.AdditionalProperties()
            | jsonschema_rs.ValidationErrorKind.UnevaluatedProperties()
        ):
            loc.append(kind.unexpected[0])
    return {"loc": loc, "msg": message if len(message) <= _MAX_MESSAGE else message[: _MAX_MESSAGE - 1] + "…"}


def _listed(options: Sequence[Any]) -> str:
    import json  # noqa: PLC0415 - only for an error

    return ", ".join(json.dumps(option, ensure_ascii=False) for option in options)
