"""A storing process whose interpreter ends by a signal over some events: `python -m tests.support.crashing_storing`."""

import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any

from core.wiring import Services
from functions.consume_events import ConsumeHandler, lambda_consumer
from local_runner.queue.storing_main import main

DEADLY = "crashes.the.interpreter"
"""The `event_type` of those events."""


def crashing_consumer(services: Callable[[], Services]) -> ConsumeHandler:
    handler = lambda_consumer(services)

    def crash_or_store(event: Mapping[str, Any], context: object) -> Mapping[str, Any]:
        if any(DEADLY in record["body"] for record in event["Records"]):
            os.kill(os.getpid(), signal.SIGSEGV)
        return handler(event, context)

    return crash_or_store


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]), crashing_consumer)
