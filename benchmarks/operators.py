"""What each operator of a filter costs: `python -m benchmarks.operators --database-url A`, of `benchmarks.generate`."""

import argparse
from datetime import UTC, datetime
from functools import partial
from typing import Final

from benchmarks.generate import BIG_CUSTOMER, CUSTOMERS, FIRST, SECONDS
from benchmarks.timing import in_turns, shown
from core.domain.filter_text import parse
from core.domain.queries import EventFilter, PageRequest
from core.stores.sql import SqlEventStore
from core.stores.summaries import SqlEventSummaries
from tests.support import databases

HOUR: Final = datetime.fromtimestamp(FIRST + SECONDS - 3_600, UTC)
OPERATORS: Final[dict[str, list[tuple[str, str]]]] = {
    "[not], finds nearly all": [("event_data.admin_data.username[not]", "user77")],
    "[not], finds nothing": [("event_data.success[not]", "true"), ("event_data.success[not]", "false")],
    "[gt] a number, finds nothing": [("event_data.changes[0].old[gt]", "1e9")],
    "[lte] a text, finds some": [("event_data.admin_data.username[lte]", "user1")],
    "[prefix], finds some": [("event_data.admin_data.username[prefix]", "user77")],
    "[prefix], finds nothing": [("event_data.admin_data.username[prefix]", "nobody")],
    "[exists], finds nothing": [("event_data.none[exists]", "true")],
    "[*] equal, finds some": [("event_data.changes[*].old", "77")],
    "[*] equal, finds nothing": [("event_data.changes[*].old", "none")],
    "q, two words, finds some": [("q", "user77 email")],
    "q, finds nothing": [("q", "nowhere")],
    "event_type[prefix], finds nothing": [("event_type[prefix]", "none.")],
    "customer_id[gt], finds nothing": [("customer_id[gt]", "1000000")],
    "recorded_by, finds nothing": [("recorded_by", "nobody")],
    "received_at[gte] of the last hour": [("received_at[gte]", HOUR.isoformat())],
    "timestamp_utc[gte] of the last hour": [("timestamp_utc[gte]", HOUR.isoformat())],
    "a user that does not occur, and [gt]": [("event_data.admin_data.username", "nobody"), ("event_data.a[gt]", "1")],
}
READERS: Final = {
    "all events": EventFilter(),
    "the big customer": EventFilter(customer_ids=(BIG_CUSTOMER,)),
    "50 customers": EventFilter(visible_customers=(BIG_CUSTOMER, *CUSTOMERS[:49])),
}


def operators(store: SqlEventStore, summaries: SqlEventSummaries, rounds: int) -> None:
    """The newest page of every operator, how many pages lead through all events, and a summary by a path."""
    print("\n| operator | whose events | newest 100 | events | searched to |\n|---|---|---|---|---|")
    for name, pairs in OPERATORS.items():
        for whose, reader in READERS.items():
            wanted = parse(pairs).model_copy(
                update={"customer_ids": reader.customer_ids, "visible_customers": reader.visible_customers}
            )
            [page] = in_turns(rounds, partial(store.find_page, wanted, PageRequest()))
            found = store.find_page(wanted, PageRequest())
            reached = found.stopped_at and datetime.fromtimestamp(found.stopped_at.timestamp_utc, UTC).date()
            print(f"| {name} | {whose} | {shown(page)} | {len(found.events)} | {reached or ''} |")
    for whose, reader in READERS.items():
        [plain, by] = in_turns(
            rounds,
            partial(summaries.summarize, reader),
            partial(summaries.summarize, reader, ("admin_data", "username")),
        )
        print(f"| summary | {whose} | {shown(plain)} | | |\n| the same by a path | {whose} | {shown(by)} | | |")


def main() -> None:
    """Open the database, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with databases.opened(arguments.database_url) as engine:
        operators(SqlEventStore(engine), SqlEventSummaries(engine), arguments.rounds)


if __name__ == "__main__":
    main()
