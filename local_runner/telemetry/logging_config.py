"""Log lines: readable in a terminal, JSON for machines. Library code logs by the standard module; this renders it."""

import logging
import sys
from typing import Literal

import structlog

from local_runner.telemetry.log_limit import RecordLimit


def configure(log_format: Literal["console", "json"], level: int = logging.INFO) -> None:
    """Send the log records of this process to standard error within `RecordLimit`, one line each in JSON."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if log_format == "json":
        # Without local variables: they hold tokens and what the events say.
        to_dicts = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        last: list[structlog.typing.Processor] = [
            structlog.processors.ExceptionRenderer(to_dicts),
            structlog.processors.JSONRenderer(),
        ]
    else:
        plain = structlog.dev.plain_traceback
        last = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    handler = logging.StreamHandler()
    handler.addFilter(RecordLimit())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it logs its plugins when it is imported
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)  # it logs each try; see ReportingExporter
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # the adapter reports its failures
