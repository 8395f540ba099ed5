import json
import subprocess
import sys
from pathlib import Path

import pytest

HANDLERS = ["token", "create_event", "create_events", "query_events", "get_event", "consume_events", "health", "docs"]
HEAVY = {"werkzeug", "sqlalchemy", "alembic", "granian", "boto3", "botocore", "pika", "structlog", "local_runner"}
ROOT = Path(__file__).parents[2]
PROGRAM = "import functions.{0}, json, sys; print(json.dumps([functions.{0}.handler.__name__, *sys.modules]))"


@pytest.mark.parametrize("name", HANDLERS)
def test_importing_a_handler_is_cheap_and_builds_nothing(name: str, tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    program = [sys.executable, "-c", PROGRAM.format(name)]
    output = subprocess.run(program, cwd=tmp_path, env=environment, check=True, capture_output=True).stdout
    handler, *modules = json.loads(output)
    assert handler == "handler"
    assert {module.partition(".")[0] for module in modules} & HEAVY == set()
    assert list(tmp_path.iterdir()) == []


def test_a_function_that_queues_nothing_does_not_pay_for_the_client_of_its_queue() -> None:
    program = (
        "import sys; from core.brokers import broker; from core.settings import Settings\n"
        "url = 'sqs://sqs.eu-central-1.amazonaws.com/123456789012/events'; settings = Settings(queue_url=url)\n"
        "broker(settings).publisher(url); print('core.queues.sqs.client' in sys.modules, 'botocore' in sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True).stdout
    assert output == b"True False\n"
