"""The context object that Lambda hands to a handler beside the event."""

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
        """What is left of the timeout; 0 when it has passed. Nothing is cut off here."""
        return max(0, round((self.started + self.timeout_seconds - time.monotonic()) * 1000))
