"""Pipelines under test, started as `audit-log serve` does."""

from typing import Any

from core.settings import Settings
from local_runner.bootstrap import open_database, prepare
from local_runner.pipeline import Pipeline
from tests.support import databases


def start_pipeline(settings: Settings, **options: Any) -> Pipeline:
    """Prepare the settings, migrate the database and start a pipeline; `options` are those of `Pipeline`."""
    settings = prepare(settings)
    if settings.database_url is None and settings.data_dir.is_dir():
        databases.copy_migrated(settings.store_url)
    return Pipeline(settings, open_database(settings), **options)
