import pytest

from core.settings import Settings
from core.wiring import Services
from functions.token import issue_token
from tests.support.fakes import Answer, FakeGateway


def ask(services: Services, *query: tuple[str, str]) -> Answer:
    return FakeGateway(services).call(issue_token, path="/access-token", query=query, token=None)


def test_a_token_comes_with_its_type_and_life(services: Services) -> None:
    answer = ask(services, ("valid_minutes", "5"))
    assert answer.status == 200
    assert answer.json == {
        "token": answer.json["token"],
        "access_token": answer.json["token"],
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "events:write events:read",
    }


def test_the_token_is_accepted_for_writing_and_reading_of_every_customer(services: Services) -> None:
    claims = services.verifier.verify(ask(services).json["token"])
    assert (claims.sub, set(claims.scope), claims.customers) == ("anonymous", {"events:write", "events:read"}, None)


def test_without_valid_minutes_a_token_lives_1800_minutes(services: Services) -> None:
    assert ask(services).json["expires_in"] == 1800 * 60


def test_a_token_is_not_cached_on_its_way(services: Services) -> None:
    assert ask(services).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("minutes", ["0", "-1", "10081", "1.5", "", "many", str(2**70)])
def test_a_life_that_cannot_be_is_refused(services: Services, minutes: str) -> None:
    answer = ask(services, ("valid_minutes", minutes))
    assert answer.status == 422
    assert list(answer.errors) == ["valid_minutes"]


def test_a_parameter_that_is_not_known_is_refused(services: Services) -> None:
    answer = ask(services, ("valid_minute", "5"))
    assert answer.errors == {"valid_minute": "is not a parameter; did you mean valid_minutes?"}


def test_without_a_secret_there_is_no_token_and_no_hint_of_why(caplog: pytest.LogCaptureFixture) -> None:
    services = Services(Settings())
    signing = Services(Settings.from_environ({"AUDIT_LOG_JWT_SECRET": "sJ4kVw8qZ2mXc7bN1pLr5tYh9dGf3aQe"}))
    gateway = FakeGateway(signing)
    gateway.services = services
    answer = gateway.call(issue_token, path="/access-token")
    assert answer.status == 500
    assert "AUDIT_LOG_JWT_SECRET" not in answer.body.decode()
    assert "AUDIT_LOG_JWT_SECRET" in vars(caplog.records[0])["reason"]
