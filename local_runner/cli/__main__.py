"""Entry point of `audit-log`: Ctrl-C ends it without a traceback, also while its modules are imported."""

import sys

# No other import here: what Ctrl-C interrupts before `main` shows a traceback.

_INTERRUPTED = 130
"""Exit status that shells use for a command ended by Ctrl-C: 128 and the number of SIGINT."""


def main() -> None:
    """Run the command."""
    try:
        from local_runner.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
