import time

from local_runner.aws_events.lambda_context import LambdaContext


def test_a_context_has_what_handlers_read_of_the_real_one() -> None:
    context = LambdaContext("consume_events", "r-1")

    assert (context.function_name, context.aws_request_id) == ("consume_events", "r-1")
    assert context.function_version == "$LATEST"
    assert context.memory_limit_in_mb == 128
    assert context.invoked_function_arn == "arn:aws:lambda:local:000000000000:function:consume_events"


def test_the_remaining_time_is_in_milliseconds_and_counts_down() -> None:
    now = time.monotonic()

    remaining = LambdaContext("f", "r", timeout_seconds=30, started=now - 10).get_remaining_time_in_millis()

    assert isinstance(remaining, int)
    assert 15_000 < remaining <= 20_000


def test_no_time_remains_after_the_timeout() -> None:
    now = time.monotonic()

    assert LambdaContext("f", "r", timeout_seconds=30, started=now - 31).get_remaining_time_in_millis() == 0
