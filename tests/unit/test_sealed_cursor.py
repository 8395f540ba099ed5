import secrets

import pytest

from core.auth.sealed_cursor import CursorSeal

SEAL = CursorSeal(b"k" * 32)


@pytest.mark.parametrize("position", [0, 1, 517, 2**63 - 1])
def test_a_position_is_sealed_into_44_characters_that_need_no_escape(position: int) -> None:
    sealed = SEAL.seal(position)
    assert SEAL.open(sealed) == position
    assert len(sealed) == 44
    assert sealed.replace("-", "").replace("_", "").isalnum()


def test_cursors_of_one_position_have_nothing_in_common_but_the_version() -> None:
    sealed = {SEAL.seal(517) for _ in range(200)}
    assert len(sealed) == 200
    assert len({text[2:8] for text in sealed}) == 200
    assert {text[0] for text in sealed} == {"A"}


def test_another_key_opens_nothing() -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        CursorSeal(secrets.token_bytes(32)).open(SEAL.seal(517))


def test_any_other_text_is_refused() -> None:
    sealed = SEAL.seal(517)
    others = [sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :] for at in range(len(sealed))]
    others += [sealed[:-1], sealed[:-4], sealed + "AAAA", sealed[::-1], "", "A", "AAAA", "é", "\udcff", " "]
    for text in others:
        with pytest.raises(ValueError, match="send next_cursor of the last answer unchanged"):
            SEAL.open(text)
