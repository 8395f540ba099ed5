"""What a million events cost on AWS, on paper: `python -m benchmarks.aws_cost`, some seconds.

Measured here: the processor time of warm handlers, JSON of Lambda's runtime included, and the room that events take in
PostgreSQL (which has to run on this machine, or TEST_POSTGRESQL_URL). All else is arithmetic on the assumptions below.
"""

import argparse
import json
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from benchmarks.stores import batch, size
from core.domain.models import Event
from core.settings import Settings
from core.stores.migrations.upgrade import migrate
from core.stores.sql import SqlEventStore
from core.wiring import Services
from functions.consume_events import lambda_consumer
from functions.create_event import create_event
from functions.create_events import create_events
from functions.http.handler import lambda_handler
from tests.support import databases
from tests.support.builders import proxy_event, sqs_event
from tests.support.cold_starts import SECRET
from tests.support.first_call import Kept

# List prices in US dollars, us-east-1, November 2026: check them before you rely on them.
# aws.amazon.com/lambda/pricing (x86), /api-gateway/pricing, /sqs/pricing, /cloudwatch/pricing, /rds/postgresql/pricing,
# /rds/aurora/pricing; the first tier of each, without free tiers, savings plans, taxes and traffic.
LAMBDA_GB_SECOND: Final = 0.0000166667
LAMBDA_REQUESTS: Final = 0.20e-6
REST_API_REQUESTS: Final = 3.50e-6
HTTP_API_REQUESTS: Final = 1.00e-6
SQS_REQUESTS: Final = 0.40e-6
LOG_GB: Final = 0.50
RDS_GB_MONTH: Final = 0.115  # gp3, one zone
AURORA_GB_MONTH: Final = 0.10

# Assumptions about AWS.
MB_OF_A_CORE: Final = 1769
"""Lambda gives a function of this memory one core, and others their part of it; it counts as a core of this machine."""
RUNTIME_MS: Final = 1.0
"""Of Lambda's runtime, for each invocation."""
SQS_WAIT_MS: Final = 8.0
SQS_CPU_MS: Final = 2.0  # of the client, for each request
SQS_PARALLEL: Final = 8
SQS_BATCH: Final = 10
SQS_CHUNK_BYTES: Final = 64 * 1024
COMMIT_WAIT_MS: Final = 8.0
"""Round trips and the commit of one transaction."""
LOG_BYTES: Final = 400
"""What Lambda itself writes about each invocation."""

EVENTS: Final = 1_000_000


@dataclass(frozen=True)
class Measured:
    """Processor time of one call, in milliseconds, and the bytes of the messages that it sends or takes."""

    events: int
    cpu_ms: float
    message_bytes: int

    @property
    def sqs_requests(self) -> int:
        """API requests that carry the messages, ten in each."""
        return math.ceil(self.events / SQS_BATCH)

    @property
    def sqs_billed(self) -> int:
        """What these requests count as: one for each 64 KB."""
        return self.sqs_requests * math.ceil(self.message_bytes / self.sqs_requests / SQS_CHUNK_BYTES)


def cpu_ms(call: Callable[[str], object], texts: Sequence[str]) -> float:
    """The median processor time of a call with each of `texts`, after one to warm up."""
    call(texts[0])
    taken = []
    for text in texts[1:]:
        started = time.process_time()
        call(text)
        taken.append((time.process_time() - started) * 1000)
    return median(taken)


def as_runtime(handler: Callable[[Any, object], Any]) -> Callable[[str], str]:
    """What Lambda's runtime does around a handler: JSON in, JSON out."""
    return lambda text: json.dumps(handler(json.loads(text), None))


def posting(services: Services, groups: Sequence[Sequence[Event]]) -> Measured:
    """POST /event for groups of one event, POST /events for larger ones."""
    token, _ = services.issuer.issue("cost")
    single = len(groups[0]) == 1
    operation, path = (create_event, "/event") if single else (create_events, "/events")
    texts = []
    for group in groups:
        bodies = [item.model_dump(include={"event_type", "customer_id", "event_data"}) for item in group]
        texts.append(
            json.dumps(proxy_event("POST", path, token=token, body=bodies[0] if single else {"events": bodies}))
        )
    taken = cpu_ms(as_runtime(lambda_handler(operation, lambda: services)), texts)
    return Measured(len(groups[0]), taken, _message_bytes(groups[0]))


def consuming(services: Services, groups: Sequence[Sequence[Event]]) -> Measured:
    """The consumer, for groups of events as the event source hands them over."""
    texts = [json.dumps(sqs_event(*(item.model_dump_json() for item in group))) for group in groups]
    taken = cpu_ms(as_runtime(lambda_consumer(lambda: services)), texts)
    return Measured(len(groups[0]), taken, _message_bytes(groups[0]))


def _message_bytes(group: Sequence[Event]) -> int:
    return sum(len(item.model_dump_json().encode()) for item in group)


def function_cost(invocations: float, cpu: float, wait: float, memory: int) -> float:
    """Dollars of Lambda and its logs. With less memory the processor's part takes longer, waiting does not."""
    billed_ms = math.ceil(cpu * max(1.0, MB_OF_A_CORE / memory) + wait + RUNTIME_MS)
    seconds = billed_ms / 1000 * memory / 1024 * LAMBDA_GB_SECOND
    return invocations * (seconds + LAMBDA_REQUESTS + LOG_BYTES / 1e9 * LOG_GB)


def costs(posted: Measured, consumed: Measured, memory: int) -> Mapping[str, float]:
    """Dollars for a million events, posted and consumed in such groups."""
    posts, takes = EVENTS / posted.events, EVENTS / consumed.events
    sends = posted.sqs_requests
    create_ms = posted.cpu_ms + sends * SQS_CPU_MS
    received_and_deleted = consumed.sqs_billed + consumed.sqs_requests
    return {
        "Lambda, create": function_cost(posts, create_ms, math.ceil(sends / SQS_PARALLEL) * SQS_WAIT_MS, memory),
        "SQS": (posts * posted.sqs_billed + takes * received_and_deleted) * SQS_REQUESTS,
        "Lambda, consume": function_cost(takes, consumed.cpu_ms, COMMIT_WAIT_MS, memory),
        "REST API": posts * REST_API_REQUESTS,
        "HTTP API": posts * HTTP_API_REQUESTS,
    }


def print_tables(posted: Sequence[Measured], consumed: Sequence[Measured], memory: int) -> None:
    """Measured figures, and the costs that follow from them."""
    print("| handler | events in a call | processor ms | ms per event |\n|---|---|---|---|")
    for name, all_measured in (("create", posted), ("consume", consumed)):
        for measured in all_measured:
            print(f"| {name} | {measured.events} | {measured.cpu_ms:.2f} | {measured.cpu_ms / measured.events:.3f} |")
    print("\n| events in a POST | in a batch of the consumer | Lambda, create | SQS | Lambda, consume | REST API "
          "| HTTP API | sum with REST API | sum with HTTP API |")  # fmt: skip
    print(f"|{'---|' * 9}")
    for taken in consumed:
        for given in posted:
            dollars = costs(given, taken, memory)
            shared = sum(dollars.values()) - dollars["REST API"] - dollars["HTTP API"]
            sums = [shared + dollars[api] for api in ("REST API", "HTTP API")]
            print(f"| {given.events} | {taken.events} | {' | '.join(f'{d:.3f}' for d in (*dollars.values(), *sums))} |")


def main() -> None:
    """Measure, calculate, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", type=int, default=512, help="of the functions, in MB")
    memory = parser.parse_args().memory
    settings = Settings.from_environ({"AUDIT_LOG_JWT_SECRET": SECRET})
    events = batch(40_000, "new", random.Random(5))  # noqa: S311 - the same every time
    with databases.throwaway(databases.POSTGRESQL) as url, databases.opened(url) as engine:
        migrate(engine)
        services = Services(settings, publisher=Kept(), writer=SqlEventStore(engine))
        posted = [posting(services, _groups(events, count, of)) for count, of in ((500, 1), (50, 100), (10, 1000))]
        consumed = [
            consuming(services, _groups(events[:3000], 300, 10)),
            consuming(services, _groups(events[3000:], 10, 1000)),
        ]
        services.writer.add(events)
        gigabytes = size(engine) / len(events) * EVENTS / 1e9
    print_tables(posted, consumed, memory)
    print(
        f"\nA million events are {gigabytes:.2f} GB of PostgreSQL: {gigabytes * RDS_GB_MONTH:.2f} dollars a month on "
        f"RDS (twice that in two zones), {gigabytes * AURORA_GB_MONTH:.2f} on Aurora, and its I/O."
    )


def _groups(events: Sequence[Event], count: int, of: int) -> list[Sequence[Event]]:
    return [events[number * of : (number + 1) * of] for number in range(count)]


if __name__ == "__main__":
    main()
