from pathlib import Path

import pytest

from core.errors import InvalidSettingsError
from core.settings import Settings

SECRET = "sJ4kVw8qZ2mXc7bN1pLr5tYh9dGf3aQe"


def settings(**variables: str) -> Settings:
    return Settings.from_environ({f"AUDIT_LOG_{name}": value for name, value in variables.items()})


def refusal(**variables: str) -> str:
    with pytest.raises(InvalidSettingsError) as caught:
        settings(**variables)
    return str(caught.value)


def test_nothing_needs_to_be_set() -> None:
    default = settings()
    assert default.store_url == "sqlite:///var/audit-log.db"
    assert default.queue_url == "memory://"
    assert default.jwt_secret is None
    assert (default.token_max_minutes, default.default_token_minutes) == (10080, 1800)
    assert (default.auth, default.spool) == ("open", "process")


def test_variables_are_read_by_their_prefix_and_all_others_left_alone() -> None:
    loaded = Settings.from_environ({"AUDIT_LOG_JWT_ISSUER": "me", "JWT_ISSUER": "other", "PATH": "/bin"})
    assert loaded.jwt_issuer == "me"


def test_the_database_is_in_the_data_directory_unless_it_has_a_url() -> None:
    assert settings(DATA_DIR="/data").store_url == "sqlite:////data/audit-log.db"
    assert settings(DATA_DIR="/data", DATABASE_URL="sqlite:///x.db").store_url == "sqlite:///x.db"


def test_an_empty_variable_counts_as_not_set() -> None:
    assert settings(DATA_DIR="", JWT_SECRET="", TOKEN_MAX_MINUTES="") == settings()
    assert settings(DATA_DIR="").data_dir == Path("var")


def test_white_space_around_a_value_does_not_count() -> None:
    assert settings(DATA_DIR=" ", AUTH="\r") == settings()
    assert settings(DATA_DIR="/data\r", AUTH="clients\r", TOKEN_MAX_MINUTES="60 ") == settings(
        DATA_DIR="/data", AUTH="clients", TOKEN_MAX_MINUTES="60"
    )


def test_the_default_life_of_a_token_is_within_the_maximum() -> None:
    assert settings(TOKEN_MAX_MINUTES="60").default_token_minutes == 60


def test_a_misspelt_name_is_refused_with_the_nearest_known_one() -> None:
    assert refusal(JWT_SECRT=SECRET) == "AUDIT_LOG_JWT_SECRT is not a setting: did you mean AUDIT_LOG_JWT_SECRET?"


def test_a_name_like_no_other_is_refused_with_a_pointer() -> None:
    assert refusal(XYZZY="1") == "AUDIT_LOG_XYZZY is not a setting: docs/reference/settings.md lists all."


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("DATABASE_URL", "audit-log.db", "must be a URL"),
        ("QUEUE_URL", "memory", "must be a URL"),
        ("AUTH", "closed", "should be 'open'"),
        ("LOG_FORMAT", "xml", "'console' or 'json'"),
        ("TOKEN_MAX_MINUTES", "0", "greater than or equal to 1"),
        ("TOKEN_MAX_MINUTES", "a day", "valid integer"),
        ("JWT_SECRET", SECRET[:31], "at least 32 bytes"),
        ("JWT_SECRET", f"{SECRET} {SECRET[:31]}", "at least 32 bytes"),
        ("JWT_SECRET", "x" * 32, "looks like an example"),
        ("JWT_SECRET", f"change-me {SECRET}".replace(" ", "-"), "looks like an example"),
        ("TRUSTED_JWKS_URL", "http://id.example.org/keys", "must be an https:// URL"),
        ("TRUSTED_JWKS_URL", "https:///keys", "must be an https:// URL"),
        ("RATE_LIMIT_REQUESTS", "0/minute", "must be a rate"),
        ("RATE_LIMIT_FAILED_LOGINS", "ten", "must be a rate"),
        ("CORS_ORIGINS", "https://a.example.org *", "must be origins"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_setting(name: str, value: str, expected: str) -> None:
    message = refusal(**{name: value})
    assert message.startswith(f"AUDIT_LOG_{name}: ")
    assert expected in message


def test_all_wrong_values_are_reported_at_once() -> None:
    assert refusal(AUTH="closed", TOKEN_MAX_MINUTES="0").count("AUDIT_LOG_") == 2


@pytest.mark.parametrize(
    "trust",
    [
        {"ISSUER": "https://id.example.org"},
        {"ISSUER": "https://id.example.org", "AUDIENCE": "audit-log"},
        {"AUDIENCE": "audit-log", "JWKS_URL": "https://id.example.org/keys"},
    ],
)
def test_an_incomplete_trusted_issuer_is_refused(trust: dict[str, str]) -> None:
    assert "set all three" in refusal(**{f"TRUSTED_{name}": value for name, value in trust.items()})


def test_a_trusted_issuer_may_not_pass_for_this_service() -> None:
    trust = {"TRUSTED_AUDIENCE": "audit-log", "TRUSTED_JWKS_URL": "https://id.example.org/keys"}
    assert "must differ from AUDIT_LOG_JWT_ISSUER" in refusal(TRUSTED_ISSUER="audit-log", **trust)
    assert settings(TRUSTED_ISSUER="another", **trust).trusted_issuer == "another"


def test_a_secret_is_counted_in_bytes() -> None:
    secret = settings(JWT_SECRET="éàüöñçßøåæ" * 2).jwt_secret
    assert secret is not None
    assert secret.get_secret_value() == "éàüöñçßøåæ" * 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JWT_SECRET", SECRET),
        ("DATABASE_URL", f"postgresql://user:{SECRET}@host/db"),
        ("QUEUE_URL", f"amqp://user:{SECRET}@host"),
        ("RATE_LIMIT_STORAGE", f"redis://user:{SECRET}@host"),
    ],
)
def test_secrets_do_not_show_where_settings_are_printed(name: str, value: str) -> None:
    loaded = settings(**{name: value})
    assert SECRET not in f"{loaded!r} {loaded} {[loaded]}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JWT_SECRET", "hunter2"),
        ("AUTH", "hunter2"),
        ("TOKEN_MAX_MINUTES", "hunter2"),
        ("DATABASE_URL", "hunter2"),
        ("DATABASE_URL", "postgresql://user:[hunter2]@host/db"),
        ("TRUSTED_JWKS_URL", "https://user:[hunter2]@host/keys"),
        ("RATE_LIMIT_STORAGE", "redis://user:[hunter2]@host"),
        ("CORS_ORIGINS", "hunter2"),
        ("HUNTER", "hunter2"),
    ],
)
def test_an_error_never_repeats_a_value(name: str, value: str) -> None:
    assert "hunter2" not in refusal(**{name: value})
