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
    _open_what_is_closed()
    try:
        from local_runner.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _open_what_is_closed() -> None:
    """Lead standard streams that the caller has closed, as by `>&-`, to nowhere: Python has None for them.

    Otherwise the first file or connection that is opened would take the number of the stream.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - until the end


if __name__ == "__main__":
    main()
