"""The context object that Lambda passes to a handler with the event."""

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class LambdaContext:
    """https://docs.aws.amazon.com/lambda/latest/dg/python-context.html."""

    function_name: str
    aws_request_id: str
    timeout_seconds: float = 30.0
    function_version: str = "$LATEST"
    memory_limit_in_mb: int = 128
    started: float = field(default_factory=time.monotonic)

    @property
    def invoked_function_arn(self) -> str:
        """A name in ARN form, of no account."""
        return f"arn:aws:lambda:local:000000000000:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Return the rest of the timeout in milliseconds, at least 0. The local runner interrupts nothing."""
        return max(0, round((self.started + self.timeout_seconds - time.monotonic()) * 1000))
