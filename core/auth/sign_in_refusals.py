"""Why the sign-in of a person failed."""

from enum import StrEnum


class Refusal(StrEnum):
    """A reason, in English. The texts of the log viewer have it in all languages, as `refusal.` and the name."""

    ATTEMPT = "This browser has not begun the sign-in, or more than ten minutes ago: begin again."
    CODE = "The identity provider did not redeem the code: begin again."
    ISSUER = "The answer is of another issuer: begin again."
    NAME = "The name that the identity provider has for you is too long for the record."
    OTHER = "The answer belongs to another sign-in: begin again."
    PROVIDER = "The identity provider did not sign you in: begin again."
    ROLE = "No role of yours may read the audit log: ask its operator for one."
    TOKEN = "The identity provider sent no ID token."  # noqa: S105 - a sentence
    TWICE = "The answer has a parameter twice: begin again."
    INVALID = "The ID token of the identity provider cannot be accepted: begin again, or ask the operator."
    UNAVAILABLE = "Signing in is not possible now: begin again in a while."
