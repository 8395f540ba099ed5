"""Name of the person who runs a command, for the events that record what it does."""

import getpass
import os


def operator_name() -> str:
    """Return the login name, or `uid N` of a user who has none, as in a container that runs as any user id."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the second one since Python 3.13
        return f"uid {os.getuid()}"
