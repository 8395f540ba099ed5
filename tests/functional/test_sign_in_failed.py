"""The page after a failed sign-in, as it is sent."""

import re

import pytest

from core.auth.sign_in_refusals import Refusal
from core.errors import (
    AuditLogError,
    InvalidTokenError,
    SignInRefusedError,
    StoreUnavailableError,
    TokenCheckUnavailableError,
)
from functions.pages.sign_in_failed import sign_in_failed
from functions.pages.viewer import FOLDER, TYPES

DETAIL = "The keys of <issuer> are unknown."


@pytest.mark.parametrize(
    ("error", "status", "refusal", "detail"),
    [
        (SignInRefusedError(Refusal.ROLE), 403, Refusal.ROLE, ""),
        (InvalidTokenError(DETAIL), 403, Refusal.INVALID, DETAIL),
        (TokenCheckUnavailableError(DETAIL), 503, Refusal.UNAVAILABLE, DETAIL),
        (StoreUnavailableError(DETAIL), 503, Refusal.UNAVAILABLE, DETAIL),
    ],
)
def test_the_page_has_the_reason_and_what_the_operator_may_need(
    error: AuditLogError, status: int, refusal: Refusal, detail: str
) -> None:
    response = sign_in_failed(error, "a=b")
    page = response.body.decode()
    assert (response.status, list(response.cookies)) == (status, ["a=b"])
    assert ("Retry-After" in response.headers) == (status == 503)
    assert f'data-text="refusal.{refusal.name.lower()}">{refusal}<' in page
    assert f'lang="en">{detail.replace("<", "&lt;").replace(">", "&gt;")}<' in page
    assert not re.search(r"\{\w+\}", page)


def test_the_page_loads_files_of_the_log_viewer_by_relative_addresses_and_nothing_else() -> None:
    page = (FOLDER / "sign-in-failed.html").read_text()
    addresses = {each for each in re.findall(r'(?:src|href)="([^"]+)"', page) if not each.startswith("data:")}
    assert addresses == {"../viewer/viewer.css", "../viewer/sign-in-failed.js", "../"}
    assert {address.removeprefix("../viewer/") for address in addresses - {"../"}} <= TYPES.keys()
