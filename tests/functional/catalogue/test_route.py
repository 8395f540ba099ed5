"""GET /catalogue: who sees it, what it says, and its ETag."""

from collections.abc import Callable

from core.auth.tokens import READ
from core.wiring import Services
from functions.catalogue import catalogue
from tests.functional.catalogue.conftest import COMMON, LOGIN, Write
from tests.support.fakes import Answer, FakeGateway

Start = Callable[..., Services]


def get(services: Services, **headers: str) -> Answer:
    return FakeGateway(services).call(catalogue, path="/catalogue", headers=headers)


def test_it_has_titles_sentences_fields_and_schemas(start: Start, write: Write) -> None:
    folder = write(_common=COMMON, user__login=LOGIN, a={"x-audit-log": {"fields": {"actor": "who"}}})
    answer = get(start(folder, strict=True))
    assert answer.status == 200
    assert answer.json["strict"] is True
    assert [about["event_type"] for about in answer.json["types"]] == ["a", "user.login"]
    assert answer.json["types"][0]["fields"] == {"actor": ["who"]}
    assert answer.json["types"][1] == {
        "event_type": "user.login",
        "title": "Signed in",
        "description": None,
        "mode": "warn",
        "titles": {"de": "Angemeldet"},
        "sentences": {"en": "{actor} signed in"},
        "failures": {},
        "fields": {},
        "schema": LOGIN,
    }


def test_without_a_catalogue_it_has_no_types(start: Start) -> None:
    assert get(start(None)).json == {"digest": None, "strict": False, "types": []}


def test_a_token_that_is_limited_to_customers_sees_it(start: Start, write: Write) -> None:
    services = start(write(_common=COMMON, user__login=LOGIN))
    token, _ = services.issuer.issue("limited", scopes=[READ], customers=[42])
    answer = FakeGateway(services).call(catalogue, path="/catalogue", token=token)
    assert len(answer.json["types"]) == 1


def test_its_tag_saves_the_transfer_until_a_file_changes(start: Start, write: Write) -> None:
    folder = write(_common=COMMON, user__login=LOGIN)
    services = start(folder)
    tag = get(services).headers["ETag"]
    for sent in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        unchanged = get(services, **{"If-None-Match": sent})
        assert (unchanged.status, unchanged.body, unchanged.headers["ETag"]) == (304, b"", tag)
    assert get(services, **{"If-None-Match": '"other"'}).status == 200
    write(user__login={**LOGIN, "title": "Logged in"})
    for other in (start(folder), start(folder, strict=True), start(None)):
        assert get(other, **{"If-None-Match": tag}).status == 200
