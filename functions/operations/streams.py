"""Streams and alert rules of an AWS stage: a function on a schedule sends and evaluates them.

The processes of other hosts do so all the time.
"""

import time
from typing import Any, Final

from core.aws.metrics import ALERT_RULE_BEHIND, STREAM_BEHIND, STREAMS_SUSPENDED, LoggedMetrics
from core.wiring import Services

RUN_SECONDS: Final = 50.0
"""How long one call sends and evaluates. It is called every minute, one at a time."""
_ROUND_SECONDS: Final = 1.0
_STOP_SECONDS: Final = 5.0


def send(services: Services, stage: str, seconds: float = RUN_SECONDS, pause: float = _ROUND_SECONDS) -> dict[str, Any]:
    """Send all active streams and evaluate all active alert rules for a while.

    Return how many streams there were in the end, their states, and the same of the rules under `alert_rules`; their
    delays and the number of suspended streams are metrics as well. Streams and rules are let go at the end, so that the
    next call need not wait for their leases. A failure of the evaluation stops no stream: it is raised at the end.

    Raises:
        StoreUnavailableError: the database cannot be reached; the next call continues.
    """
    dispatcher = services.streams.dispatcher()
    evaluator = services.alert_rules.evaluator()
    failure: Exception | None = None
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            dispatcher.round()
            if failure is None:
                try:
                    evaluator.round()
                except Exception as exc:  # noqa: BLE001 - raised below
                    failure = exc
            time.sleep(pause)
    finally:
        evaluator.close()
        dispatcher.close(_STOP_SECONDS)
    streams, rules = services.streams.status.check(), services.alert_rules.status.check()
    metrics = LoggedMetrics(stage, services.clock)
    metrics.put(STREAMS_SUSPENDED, streams["suspended"])
    metrics.put(STREAM_BEHIND, round(streams["behind_seconds"]), "Seconds")
    metrics.put(ALERT_RULE_BEHIND, round(rules["behind_seconds"]), "Seconds")
    if failure:
        raise failure
    return {**streams, "alert_rules": rules}
