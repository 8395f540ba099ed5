"""Conventional fields: the names inside `event_data` by which readers find who did what to what, from where.

All are optional, and no event is refused or changed because of them. An event with other names is read through the
further paths of a field: those of OCSF, the Elastic Common Schema, CloudTrail, Okta and WorkOS, and common short ones.
"""

from typing import Final, NamedTuple


class ConventionalField(NamedTuple):
    """A field of an event as readers name it, and the paths into `event_data` where it is looked for, best first.

    The first path is the conventional one. A path counts if it leads to a text, a number or a boolean.
    """

    name: str
    meaning: str
    paths: tuple[str, ...]


FIELDS: Final = (
    ConventionalField(
        "actor",
        "who did it",
        (
            "actor.id", "actor.name", "actor.email", "actor", "actor.user.uid", "actor.user.name", "user.id",
            "user.name", "user.email", "userIdentity.arn", "admin_data.username", "username", "user_name",
        ),
    ),
    ConventionalField(
        "action",
        "the verb: create, read, update, delete, login, logout or another word",
        ("action", "event.action", "activity_name", "eventName"),
    ),
    ConventionalField(
        "target",
        "the object of the action: the first of `targets`",
        (
            "targets[0].id", "targets[0].name", "target.id", "target.name", "target", "resources[0].uid",
            "resources[0].name", "resource.id", "resource.name",
        ),
    ),
    ConventionalField(
        "outcome",
        "success or failure",
        ("outcome", "outcome.result", "event.outcome", "status", "result", "success"),
    ),
    ConventionalField(
        "address",
        "the network address it came from",
        (
            "context.ip", "context.location", "src_endpoint.ip", "source.ip", "client.ipAddress", "sourceIPAddress",
            "admin_data.ip", "actor_ip", "ip_address", "ip",
        ),
    ),
    ConventionalField(
        "session",
        "the session in which it was done",
        (
            "context.session", "session.uid", "session.id", "authenticationContext.externalSessionId", "session_id",
        ),
    ),
)  # fmt: skip
"""Singular fields. `targets` and `changes` are lists: of `{id, type, name}` and of `{path, from, to}`."""

SUCCESSES: Final = ("success", "succeeded", "ok", "allow", "allowed", "true")
FAILURES: Final = ("failure", "failed", "fail", "error", "deny", "denied", "rejected", "false")
"""Values of an outcome in lower case; `true` and `false` are also the booleans."""

CHANGE_PAIRS: Final = (("before", "after"), ("old", "new"), ("from", "to"))
"""Pairs of members of `event_data` that are read as a change where it has no `changes`."""
