"""Every fault run, short. `make faults` runs them in full."""

import pytest

from tests.faults.scenarios import SCENARIOS, Scenario
from tests.faults.servers import MissingServerError
from tests.support.skipping import skip_or_fail


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_what_was_acknowledged_is_stored_once(scenario: Scenario) -> None:
    try:
        verdict = scenario.run(scenario.short)
    except MissingServerError as exc:
        skip_or_fail(str(exc))
    assert verdict.is_clean, verdict
