"""What queries cost in a large database: `python -m benchmarks.queries --database-url A --single-url B --small-url C`.

All three are made by `benchmarks.generate`: A is measured, B has as many rows and single-column indexes, C has 100,000
rows. The compared queries take turns. At the end events are added to A and C, so the databases are of no other use.
"""

import argparse
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from statistics import median, quantiles
from typing import Any, Final

import orjson
from sqlalchemy import Engine, Select, event

from benchmarks import generate
from benchmarks.generate import BIG_CUSTOMER, CUSTOMERS, FIRST, SECONDS, TYPES, USERS
from benchmarks.timing import in_turns, milliseconds, ratio, shown
from core.domain.models import Event
from core.domain.queries import DataFilter, EventFilter, PageRequest, Position
from core.domain.trusted_fields import build_model
from core.settings import Settings
from core.stores.connections import open_read_connection
from core.stores.dialects import dialect_of
from core.stores.engine import reading_engine
from core.stores.sql import SqlEventStore
from core.wiring import Services
from functions.http.handler import lambda_handler
from functions.query_events import query_events
from tests.support import builders, databases

HINT: Final = re.compile(r" INDEXED BY \w+")
BATCH: Final = 1_000
BATCHES: Final = 10
SIX_MONTHS: Final = EventFilter(start=FIRST + SECONDS // 2, end=FIRST + SECONDS * 3 // 4)
OLDEST: Final = Position(timestamp_utc=FIRST + 3_600, event_id="ffffffff-ffff-7fff-bfff-ffffffffffff", offset=0)
"""Of a million events 57 are older, of ten million 570: the deepest pages there are."""


def data(*path: str | int, value: str | bool) -> tuple[DataFilter]:
    """Equality at one path."""
    return (DataFilter(path=path, values=(value,)),)


USER: Final = partial(data, "admin_data", "username")
BIG: Final = EventFilter(customer_ids=(BIG_CUSTOMER,))
TYPE: Final = EventFilter(customer_ids=(BIG_CUSTOMER,), event_types=TYPES[:1])
NEWEST: Final = SIX_MONTHS.model_copy(update={"customer_ids": (BIG_CUSTOMER,), "event_types": TYPES[:1]})
FEW: Final = tuple(CUSTOMERS[-50:])

FILTERS: Final[dict[str, EventFilter]] = {
    "all events": EventFilter(),
    "the big customer": BIG,
    "the big customer, a type, 6 months": NEWEST,
    "the big customer, 3 types": EventFilter(customer_ids=(BIG_CUSTOMER,), event_types=TYPES[-3:]),
    "the big customer, 3 types that do not occur": EventFilter(
        customer_ids=(BIG_CUSTOMER,), event_types=("a", "b", "c")
    ),
    "3 types": EventFilter(event_types=TYPES[-3:]),
    "a token for 50 customers, the largest among them": EventFilter(visible_customers=(BIG_CUSTOMER, *CUSTOMERS[:49])),
    "a token for 50 small customers": EventFilter(visible_customers=FEW),
    "a token for 50 small customers, 3 types": EventFilter(visible_customers=FEW, event_types=TYPES[-3:]),
    "a token for 50 customers without events": EventFilter(visible_customers=tuple(range(10_000, 10_050))),
    "the big customer, a user": BIG.model_copy(update={"data": USER(value="user77")}),
    "the big customer, a user that does not occur": BIG.model_copy(update={"data": USER(value="nobody")}),
    "the big customer, success=false (1 in 20)": BIG.model_copy(update={"data": data("success", value=False)}),
    "the same, 6 months": NEWEST.model_copy(update={"event_types": (), "data": data("success", value=False)}),
    "the big customer, success=true": BIG.model_copy(update={"data": data("success", value=True)}),
    "a user": EventFilter(data=USER(value="user77")),
    "a user that does not occur": EventFilter(data=USER(value="nobody")),
}


def without_hint(
    _connection: object, _cursor: object, statement: str, parameters: object, *_: object
) -> tuple[str, object]:
    """Let SQLite choose among single-column indexes: the store names some that do not exist."""
    return HINT.sub("", statement), parameters


def compare(store: SqlEventStore, single: SqlEventStore, rounds: int) -> None:
    """The newest page against single-column indexes, and the deepest page against the first and an offset."""
    print("\n| | ms, median (least to most) | ratio |\n|---|---|---|")
    rare = NEWEST.model_copy(update={"event_types": TYPES[-1:]})
    for name, wanted in (("a type, 6 months", NEWEST), ("a type", TYPE), ("a rare type, 6 months", rare)):
        ours, theirs = in_turns(rounds, *(partial(each.find_page, wanted, PageRequest()) for each in (store, single)))
        print(f"| newest page of the big customer, {name} | {shown(ours)} | |")
        print(f"| the same with single-column indexes | {shown(theirs)} | {ratio(ours, theirs):,.0f} |")
    pages = (PageRequest(), PageRequest(after=OLDEST), PageRequest(offset=100_000))
    first, deepest, offset = in_turns(rounds * 4, *(partial(store.find_page, BIG, page) for page in pages))
    print(f"| page 1 of the big customer | {shown(first)} | |")
    print(f"| its deepest page, by cursor | {shown(deepest)} | {ratio(first, deepest):.2f} to page 1 |")
    print(f"| offset 100,000 | {shown(offset)} | {ratio(deepest, offset):.1f} to the cursor |")
    deepest, offset = in_turns(
        rounds, partial(store.find_page, BIG, pages[1]), partial(single.find_page, BIG, pages[2])
    )
    print(
        f"| offset 100,000 with single-column indexes | {shown(offset)} | {ratio(deepest, offset):,.0f} to the cursor |"
    )


def compare_by_key(engine: Engine, store: SqlEventStore, rounds: int) -> None:
    """Page and count against reading the same 100 events by their ids, through the same pool and the same columns."""
    print("\n| page of 100 and its count | ms | the same events by key | ratio |\n|---|---|---|---|")
    pages = {
        "all events": (EventFilter(), PageRequest()),
        "the big customer": (BIG, PageRequest()),
        "the big customer, a type": (TYPE, PageRequest()),
        "the big customer, a type, 6 months": (NEWEST, PageRequest()),
        "the big customer, its deepest page": (BIG, PageRequest(after=OLDEST)),
    }
    for name, (wanted, page) in pages.items():
        ids = [found.event_id for found in store.find_page(wanted, page).events]
        query = dialect_of(engine).select_by_ids(ids)

        def by_key(query: Select[Any] = query) -> list[Event]:
            with open_read_connection(engine) as connection:
                return [build_model(Event, dict(row)) for row in connection.execute(query).mappings()]

        found, keyed = in_turns(rounds * 10, partial(store.find_page, wanted, page), by_key)
        print(f"| {name} | {shown(found)} | {shown(keyed)} | {ratio(keyed, found):.2f} |")


def list_all(store: SqlEventStore, rounds: int) -> None:
    """The newest page of every filter: found, counted, and answered by the handler."""
    handle = handler(store)
    print("\n| newest 100 of | found | count alone | whole handler | total_count |\n|---|---|---|---|---|")
    for name, wanted in FILTERS.items():
        find_page = partial(store.find_page, wanted)
        page, count, answer = in_turns(
            rounds,
            partial(find_page, PageRequest()),
            partial(find_page, PageRequest(after=BEFORE_ALL, limit=1)),
            partial(handle, wanted),
        )
        matches = find_page(PageRequest(limit=1))
        total = f"{matches.total_count:,} {matches.total_relation}"
        print(f"| {name} | {shown(page)} | {shown(count)} | {shown(answer)} | {total} |")


BEFORE_ALL: Final = Position(timestamp_utc=0, event_id=OLDEST.event_id, offset=0)
"""Nothing is older, so that a page from here costs nothing, and only the count remains."""


def handler(store: SqlEventStore) -> Callable[[EventFilter], None]:
    """Asks the handler, with a token that sees what the filter's reader may see."""
    settings = Settings.from_environ({"AUDIT_LOG_JWT_SECRET": "a-secret-of-the-benchmark-that-is-long-enough"})
    services = Services(settings, reader=store)
    handle = lambda_handler(query_events, lambda: services)

    def ask(wanted: EventFilter) -> None:
        token, _ = services.issuer.issue("benchmark", customers=wanted.visible_customers)
        query = [("customer_id", str(number)) for number in wanted.customer_ids]
        query += [("event_type", kind) for kind in wanted.event_types]
        query += [(f"event_data.{'.'.join(map(str, each.path))}", str(each.values[0]).lower()) for each in wanted.data]
        times = {"timestamp_start_utc": wanted.start, "timestamp_end_utc": wanted.end}
        query += [(name, str(value)) for name, value in times.items() if value is not None]
        answer = handle(builders.proxy_event(token=token, query=query), None)
        assert answer["statusCode"] == 200, answer  # noqa: PLR2004 - OK

    return ask


def inside(store: SqlEventStore, queries: int) -> None:
    """Filters on event_data of customers as they come: the spread."""
    numbers = random.Random(2)  # noqa: S311 - the same queries every time
    weights = [1 / rank for rank, _ in enumerate(CUSTOMERS, 1)]
    print("\n| filter on event_data | p50 ms | p99 ms | most ms |\n|---|---|---|---|")
    asked: dict[str, Callable[[], tuple[DataFilter]]] = {
        "a user": lambda: USER(value=f"user{numbers.randrange(USERS)}"),
        "a user that does not occur": lambda: USER(value=f"nobody{numbers.random()}"),
        "success=false": lambda: data("success", value=False),
        "success=true": lambda: data("success", value=True),
    }
    for whose in ("the big customer", "another customer, the large ones more often"):
        for name, wanted in asked.items():
            times = []
            for _ in range(queries):
                customer = numbers.choices(CUSTOMERS, weights)[0] if whose.startswith("another") else BIG_CUSTOMER
                event_filter = EventFilter(customer_ids=(customer,), data=wanted())
                times.append(milliseconds(partial(store.find_page, event_filter, PageRequest())))
            print(f"| {whose}, {name} | {median(times):.2f} | {quantiles(times, n=100)[98]:.2f} | {max(times):.2f} |")


def insert(large: SqlEventStore, small: SqlEventStore, rounds: int) -> None:
    """The rate of inserting into both."""
    batches = new_events(rounds + 1)
    rates: list[list[float]] = []
    for _ in range(rounds + 1):
        given = [next(batches) for _ in range(BATCHES)]
        rates.append([BATCH * BATCHES * 1000 / milliseconds(partial(add, store, given)) for store in (large, small)])
    of_large, of_small = zip(*rates[1:], strict=True)
    print("\n| | events/s, median (least to most) | ratio |\n|---|---|---|")
    print(f"| stored in batches of {BATCH:,} with 100,000 rows | {shown(of_small, 0)} | |")
    print(f"| the same with all rows | {shown(of_large, 0)} | {ratio(of_small, of_large):.2f} |")


def add(store: SqlEventStore, batches: Sequence[Sequence[Event]]) -> None:
    """Store batch after batch."""
    for batch in batches:
        store.add(batch)


def new_events(rounds: int) -> Iterator[list[Event]]:
    """Batches of events that continue after the generated ones."""
    total = rounds * BATCHES * BATCH
    rows = generate.rows(total, start=FIRST + SECONDS, seconds=total // 1000, seed=time.time_ns())
    for _ in range(rounds * BATCHES):
        yield [_event(row) for row, _ in zip(rows, range(BATCH), strict=False)]


def _event(row: generate.Row) -> Event:
    event_id, event_type, customer_id, timestamp_utc, event_data, received_at, recorded_by = row
    return Event.model_construct(
        event_id=event_id,
        event_type=event_type,
        customer_id=customer_id,
        timestamp_utc=timestamp_utc,
        event_data=orjson.loads(event_data),
        received_at=datetime.fromtimestamp(received_at / 1000, UTC),
        recorded_by=recorded_by,
    )


def main() -> None:
    """Open the databases, measure, print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--database-url", "--single-url", "--small-url"):
        parser.add_argument(name, required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--queries", type=int, default=300, help="of each kind of filter on event_data")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        urls = (arguments.database_url, arguments.single_url, arguments.small_url)
        engines = [stack.enter_context(databases.opened(url)) for url in urls]
        store, single, small = map(SqlEventStore, engines)
        event.listen(reading_engine(engines[1]), "before_cursor_execute", without_hint, retval=True)
        compare(store, single, arguments.rounds)
        compare_by_key(engines[0], store, arguments.rounds)
        list_all(store, arguments.rounds)
        inside(store, arguments.queries)
        insert(store, small, arguments.rounds)


if __name__ == "__main__":
    main()
