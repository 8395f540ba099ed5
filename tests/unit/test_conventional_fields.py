"""The conventional fields, compared with their reference page."""

from core.domain.conventional_fields import CHANGE_PAIRS, FAILURES, FIELDS, SUCCESSES
from core.domain.filter_values import data_path
from tests.support.documents import quoted, read, table

PAGE = read("docs/reference/conventional-fields.md")


def test_the_page_lists_each_field_with_its_paths_in_order() -> None:
    rows = table(PAGE, "field", "meaning", "paths in `event_data`, best first")
    assert [(*quoted(name), quoted(paths)) for name, _, paths in rows] == [
        (field.name, list(field.paths)) for field in FIELDS
    ]


def test_the_page_lists_the_words_of_an_outcome_and_the_pairs_of_a_change() -> None:
    rows = [(outcome, tuple(quoted(words))) for outcome, words in table(PAGE, "outcome", "words")]
    assert rows == [("success", SUCCESSES), ("failure", FAILURES)]
    assert ", ".join(f"`{old}` and `{new}`" for old, new in CHANGE_PAIRS) in " ".join(PAGE.split())


def test_every_path_can_be_filtered_by() -> None:
    paths = [path for field in FIELDS for path in field.paths]
    assert len({data_path(path) for path in paths}) == len(paths)


def test_no_word_is_both_a_success_and_a_failure() -> None:
    assert {*SUCCESSES}.isdisjoint(FAILURES)
