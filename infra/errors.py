"""What can go wrong while building."""


class BuildError(Exception):
    """The package cannot be made, or must not be deployed as it is. The message says why."""


class WheelsUnavailableError(BuildError):
    """A wheel of the lock file is not to be had for Lambda's platform, or PyPI cannot be reached."""
