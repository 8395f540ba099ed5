"""`audit-log.catalogue`: which catalogue was in force when."""

from pathlib import Path

import pytest

from core.domain.models import SYSTEM_CUSTOMER
from core.domain.queries import EventFilter, PageRequest
from core.errors import StoreUnavailableError
from core.settings import Settings
from core.stores.database import Database
from core.wiring import Services
from local_runner.bootstrap import record_catalogue
from tests.functional.catalogue.conftest import COMMON, LOGIN, Write
from tests.support.pipelines import start_pipeline


def start(settings: Settings, folder: Path | None, strict: str = "off") -> list[dict[str, object]]:
    """Start and stop a service, and return the records, oldest first."""
    pipeline = start_pipeline(settings.model_copy(update={"catalogue": folder, "catalogue_strict": strict}))
    try:
        wanted = EventFilter(event_types=("audit-log.catalogue",))
        found = pipeline.services.reader.find_page(wanted, PageRequest(order="asc")).events
        assert {event.customer_id for event in found} <= {SYSTEM_CUSTOMER}
        return [event.event_data for event in found]
    finally:
        pipeline.close(timeout=0)


def test_a_start_records_the_catalogue_only_where_it_is_another_one(settings: Settings, write: Write) -> None:
    assert start(settings, None) == []
    folder = write(_common=COMMON, user__login=LOGIN)
    first = start(settings, folder)
    assert start(settings, folder) == first
    assert [len(str(record["digest"])) for record in first] == [64]

    write(user__login={**LOGIN, "title": "Logged in"})
    digests = [record["digest"] for record in start(settings, folder)]
    assert len(set(digests)) == 2
    assert [record["strict"] for record in start(settings, folder, "on")] == [False, False, True]
    assert start(settings, None)[-1] == {"subject": "event types", "digest": None, "strict": False}


class _Away(Database):
    @property
    def engine(self) -> object:  # type: ignore[override]
        raise StoreUnavailableError("The event store is unavailable.")


def test_a_store_that_is_away_does_not_stop_the_start(
    settings: Settings, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    services = Services(settings.model_copy(update={"catalogue": write(a={})}), database=_Away(settings.store_url))
    record_catalogue(services)
    assert [record.message for record in caplog.records] == ["catalogue_not_recorded"]
