"""Entry point of `audit-log`: signals end it without a traceback, also while its modules are imported."""

import os
import signal
import sys

# No import of the service here: what Ctrl-C interrupts before `main` shows a traceback.

_INTERRUPTED = 130
"""Exit status that shells use for a command ended by Ctrl-C: 128 and the number of SIGINT."""
_TERMINATED = 143
"""The same of SIGTERM."""


def main() -> None:
    """Run the command."""
    if os.getpid() == 1:  # a container's process: the kernel drops signals that it does not handle
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
    try:
        from local_runner.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
