"""Schemathesis against the running service: does it answer as its own /openapi.json says, to good requests and bad?"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.routes import ROUTES
from tests.support.service import Service

SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))

# All checks of schemathesis on all of its phases, but for those below. A warning, such as "only 401 was ever answered",
# is a failure: it means that an operation was not really tried.
CONFIGURATION = """
[warnings]
fail-on = true

[generation]
mode = "all"
max-examples = 25
deterministic = true

# The id of an event from a response, with the content of another one, is a conflict.
[phases.examples.extra-data-sources]
responses = false

[phases.coverage.extra-data-sources]
responses = false

[phases.fuzzing.extra-data-sources]
responses = false

# An event is accepted before it is stored, so it may be a 404 for a moment.
[checks.ensure_resource_availability]
enabled = false

# A batch is accepted for the good events in it: 202, with the bad ones listed.
[[operations]]
include-operation-id = "create_events"
checks.negative_data_rejection.enabled = false
checks.positive_data_acceptance.enabled = false  # and for the reasons of create_event

# JSON Schema has no words for some rules: no integer beyond 64 bits and no NUL anywhere, and 1.0 is not an integer.
[[operations]]
include-operation-id = "create_event"
checks.positive_data_acceptance.enabled = false

# A cursor is opaque, and does not go together with an offset.
[[operations]]
include-operation-id = "query_events"
checks.positive_data_acceptance.enabled = false

# A range may not end before it begins.
[[operations]]
include-operation-id = "summarize_events"
checks.positive_data_acceptance.enabled = false

# So is the place of a part.
[[operations]]
include-operation-id = "export_events"
checks.positive_data_acceptance.enabled = false

# A member that is a list becomes, in a form, a parameter that comes twice; OAuth forbids those (RFC 6749 section 3.1).
[[operations]]
include-operation-id = "oauth_token"
checks.positive_data_acceptance.enabled = false

# A path that the schema allows is rarely that of a tile that the ledger has.
[[operations]]
include-operation-id-regex = "^ledger_tile_"
warnings = false

# Without the scope of streams each request is a 403; tests/functional/streams and alerts have the answers with it.
[[operations]]
include-path-regex = "^/(stream|alert-rule)"
warnings = false
checks.positive_data_acceptance.enabled = false

# People do not sign in at this service.
[[operations]]
include-operation-id-regex = "^(begin_sign_in|finish_sign_in|session_token|sign_out)$"
warnings = false

# A place in the feed is a sealed cursor.
[[operations]]
include-operation-id = "event_feed"
checks.positive_data_acceptance.enabled = false

# In open mode no token has the scope.
[[operations]]
include-operation-id = "erase_events"
warnings = false
checks.positive_data_acceptance.enabled = false

# The longest life of a token is a setting.
[[operations]]
include-operation-id = "issue_token"
checks.positive_data_acceptance.enabled = false
"""


@pytest.fixture
def own_service(tmp_path: Path) -> Iterator[Service]:
    """Not the one that tests share: these requests, with ids repeated, fill its log and its dead letters."""
    with Service.start(tmp_path / "data", ledger_seconds="1") as running:  # events soon have proofs
        yield running


def test_the_service_keeps_to_its_own_description(own_service: Service, tmp_path: Path) -> None:
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION)
    done = subprocess.run(
        [
            SCHEMATHESIS, "--config-file", str(configuration), "--no-color",
            "run", f"{own_service.url}/openapi.json",
            "--header", f"Authorization: Bearer {own_service.token()}",
            "--continue-on-failure", "--output-sanitize", "false", "--output-truncate", "false",
        ],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=300,
    )  # fmt: skip
    first_traceback = "".join(own_service.log.partition("Traceback")[1:])[:5000]
    assert done.returncode == 0, f"{done.stdout}\nIn the log of the service: {first_traceback or 'no traceback'}"
    everything = len(ROUTES) - 1  # schemathesis does not test /openapi.json itself
    assert f"Tested: {everything}\n" in done.stdout
