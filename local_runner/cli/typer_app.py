"""Typer as this command line uses it: help and errors without the names of Python's types."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

_TAG: Final = re.compile(r"\[[a-zA-Z#/@]")
"""Beginning of what Rich takes for markup."""

_F = TypeVar("_F", bound=Callable[..., Any])


class App(typer.Typer):
    """A Typer whose commands and groups name values by their metavar only. Its sub-commands are an `App` as well."""

    def __init__(self, **options: Any) -> None:
        super().__init__(cls=_Group, **options)

    def command(self, *args: Any, **options: Any) -> Callable[[_F], _F]:
        """See `Typer.command`."""
        return super().command(*args, cls=_Command, **options)


class _Command(TyperCommand):
    def __init__(self, *args: Any, help: str | None = None, **options: Any) -> None:  # noqa: A002 - Typer's name
        super().__init__(*args, help=help and _unwrapped(help), **options)

    def get_params(self, ctx: Any) -> Any:
        return _adapted(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as exc:
            exc.message = _message(exc)
            raise


class _Group(TyperGroup):
    def get_params(self, ctx: Any) -> Any:
        return _adapted(super().get_params(ctx))


def _unwrapped(text: str) -> str:
    """Join the lines of each paragraph: Typer keeps the line breaks of all but the first one."""
    return "\n\n".join(" ".join(paragraph.split("\n")) for paragraph in text.split("\n\n"))


def _message(error: typer.BadParameter) -> str:
    """Return the message of an error. Typer converts values by pydantic, whose words are those of Python."""
    from pydantic import ValidationError

    from core.domain.field_errors import found_errors, message_of

    cause = error.__cause__
    return message_of(found_errors(cause)[0]) if isinstance(cause, ValidationError) else error.message


def _adapted(params: list[Any]) -> list[Any]:
    """Let the help show no type behind a flag, such as `<bool>`, and none behind an argument, which has its name.

    And let it show brackets, such as those of `rows[gt]=1000`, which Rich takes for markup.

    And load pydantic, by which Typer converts values, only for options that are given: it takes a tenth of a second.
    """
    for param in params:
        if not isinstance(param.process_value, partial):
            param.process_value = partial(_process_value, param, param.process_value)
            if param.help:
                param.help = _TAG.sub(r"\\\g<0>", param.help)
        if isinstance(param, TyperArgument):
            param.display_type_rich = lambda ctx: None  # type: ignore[method-assign]  # noqa: ARG005 - Typer's signature
        elif getattr(param, "is_flag", False):
            param.metavar = ""
    return params


def _process_value(param: Any, process: Callable[[Any, Any], Any], ctx: Any, value: Any) -> Any:
    if ctx.resilient_parsing:  # for completion, which needs no values
        return value
    if value is not None or param.required:
        return _utf8(ctx, param, process(ctx, value))
    return param.callback(ctx, param, None) if param.callback else None


def _utf8(ctx: Any, param: Any, converted: Any) -> Any:
    """Return a converted value. A text, unlike a path, has to be UTF-8: no event and no request can have another one.

    Python represents other bytes of the command line by lone surrogates (PEP 383).
    """
    for text in converted if isinstance(converted, list | tuple) else (converted,):
        if isinstance(text, str) and any("\ud800" <= character <= "\udfff" for character in text):
            raise typer.BadParameter("is not UTF-8", ctx=ctx, param=param)
    return converted
