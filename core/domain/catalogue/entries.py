"""What a file of the catalogue says about its event type, in the member `x-audit-log` of the JSON Schema."""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictStr

from core.domain.conventional_fields import FIELDS
from core.domain.filter_values import data_path
from core.errors import FieldError

Mode = Literal["off", "warn", "enforce"]

MEMBER: Final = "x-audit-log"
"""Member of a schema document that holds an `Entry`. JSON Schema ignores it as an unknown keyword."""

_NAMES: Final = frozenset(field.name for field in FIELDS)
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_BRACE: Final = re.compile(r"[{}]")
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")


def _path(text: str) -> str:
    if None in data_path(text):
        raise ValueError("must name one value: use an index, such as targets[0].id, in place of [*]")
    return text


def _language(text: str) -> str:
    if not _LANGUAGE.fullmatch(text):
        raise ValueError("must be a language tag, such as en or pt-BR")
    return text


def _sentence(text: str) -> str:
    if _BRACE.search(_PLACEHOLDER.sub("", text)):
        raise ValueError("has a brace without its partner: a placeholder is {actor} or {targets[0].name}")
    for name in _PLACEHOLDER.findall(text):
        _path(name)
    return text


def _field_name(name: str) -> str:
    if name not in _NAMES:
        raise ValueError(f"must be one of {', '.join(sorted(_NAMES))}")
    return name


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


Path = Annotated[StrictStr, AfterValidator(_path)]
Text = Annotated[StrictStr, Field(min_length=1, max_length=1000)]
Sentence = Annotated[Text, AfterValidator(_sentence)]
Language = Annotated[StrictStr, AfterValidator(_language)]
Paths = Annotated[tuple[Path, ...], BeforeValidator(_several), Field(min_length=1)]


class Entry(BaseModel):
    """How a type is checked, named and read."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    mode: Mode = Field(
        default="warn",
        description="off: events are not checked; warn: accepted with warnings; enforce: refused by 422.",
    )
    titles: Mapping[Language, Text] = Field(default={}, description="Title of the type by language.")
    sentences: Mapping[Language, Sentence] = Field(
        default={},
        description="By language, a sentence for an event that succeeded or has no outcome. {NAME} is a conventional "
        "field, {PATH} a value of event_data.",
    )
    failures: Mapping[Language, Sentence] = Field(
        default={}, description="By language, a sentence for an event whose outcome is a failure."
    )
    fields: Mapping[Annotated[str, AfterValidator(_field_name)], Paths] = Field(
        default={}, description="By conventional field, the paths where events of the type have it, best first."
    )


class EventType(BaseModel):
    """An event type of the catalogue, as `GET /catalogue` returns it."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)

    event_type: str = Field(examples=["user.login"])
    title: str | None = Field(default=None, examples=["Signed in"])
    description: str | None = None
    mode: Mode
    titles: Mapping[str, str] = Field(examples=[{"de": "Angemeldet"}])
    sentences: Mapping[str, str] = Field(examples=[{"en": "{actor} signed in"}])
    failures: Mapping[str, str] = Field(examples=[{"en": "{actor} could not sign in"}])
    fields: Mapping[str, tuple[str, ...]] = Field(examples=[{"actor": ["admin_data.username"]}])
    schema_: Mapping[str, Any] = Field(alias="schema", description="The content of its file.")


Check = Callable[[Any], list[FieldError]]
"""Returns the errors of `event_data`; empty if it conforms."""
