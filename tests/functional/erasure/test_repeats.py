"""A repeat of an erased event stays a duplicate on every path, and leaves its data nowhere."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from core.ports.queue import Message
from core.settings import Settings
from core.stores.erasing import Eraser, Request, Selection
from local_runner.pipeline import Pipeline
from local_runner.queue.dead_letters import FILE_NAME, DeadLetterFile
from tests.support.builders import event
from tests.support.pipelines import start_pipeline
from tests.support.waiting import SECONDS, until

NOW = datetime(2026, 2, 1, tzinfo=UTC)
GONE = event(1)


def data(pipeline: Pipeline) -> object:
    stored = pipeline.services.reader.get(GONE.event_id)
    return stored and stored.event_data


@pytest.fixture
def pipeline(settings: Settings) -> Iterator[Pipeline]:
    """A service that has stored an event and erased its data."""
    pipeline = start_pipeline(settings)
    pipeline.services.acceptance.publish([GONE])
    until(lambda: data(pipeline))
    request = Request(Selection((GONE.event_id,)), False, "", "tests")
    assert Eraser(pipeline.services.database.engine).erase(request, at=NOW, progress=lambda _: None) == (1, True)
    yield pipeline
    pipeline.close()


def test_a_client_that_sends_it_again_brings_nothing_back(pipeline: Pipeline) -> None:
    pipeline.services.acceptance.publish([GONE, event(2)])
    until(lambda: pipeline.services.reader.get(event(2).event_id) and not pipeline.queue.depth)
    assert data(pipeline) == {}
    assert pipeline.services.checks["dead_letters"]() == {"count": 0}


def test_a_replay_of_the_spool_brings_nothing_back(settings: Settings, pipeline: Pipeline) -> None:
    pipeline._consumer.stop(timeout=SECONDS)  # noqa: SLF001 - as a kill before the event is stored
    pipeline.services.acceptance.publish([GONE])
    pipeline.close(timeout=0)
    again = start_pipeline(settings)
    try:
        until(lambda: not again.queue.depth)
        assert data(again) == {}
        assert again.services.checks["dead_letters"]() == {"count": 0}
    finally:
        again.close()


def test_a_dead_letter_that_is_redriven_brings_nothing_back_and_goes(settings: Settings, pipeline: Pipeline) -> None:
    letters = pipeline._dead_letters  # noqa: SLF001 - shown to no other code
    assert isinstance(letters, DeadLetterFile)
    letters.add([Message("1", "1", GONE.to_json().decode(), 5, 0.0)])
    assert FILE_NAME in {file.name for file in settings.data_dir.iterdir()}
    assert letters.redrive() == 1
    assert letters.count() == 0
    assert data(pipeline) == {}
