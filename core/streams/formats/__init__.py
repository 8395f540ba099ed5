"""Formats of events that leave the log: one pure function for each."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from core.domain.models import Event
from core.domain.streams import Format
from core.streams.formats.cloudevents import cloud_event
from core.streams.formats.native import native
from core.streams.formats.ocsf import ocsf

Formatter = Callable[[Event, str], dict[str, Any]]
"""Takes an event and the name of the log, which is that of its ledger; returns a JSON object."""

FORMATTERS: Final[Mapping[Format, Formatter]] = {"native": native, "cloudevents": cloud_event, "ocsf": ocsf}
