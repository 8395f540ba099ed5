import pytest

from infra.checks.wording import findings


def places(file: str, text: str) -> list[tuple[int, str]]:
    return [(finding.line, finding.phrase) for finding in findings(file, text)]


PYTHON = '''"""What is
sent."""
told = {"beside": nobody}  # whoever
log(
    f"a {told} server that goes "
    "on", """
    of its own"""
)
'''


def test_a_product_is_read_in_its_comments_docstrings_and_literals_and_not_in_its_names() -> None:
    assert places("core/part.py", PYTHON) == [
        (1, "What is"), (3, "beside"), (3, "whoever"), (5, "goes on"), (7, "of its own"),
    ]  # fmt: skip


def test_a_test_is_read_without_its_literals() -> None:
    assert places("tests/unit/test_part.py", PYTHON) == [(1, "What is"), (3, "whoever")]


def test_a_document_is_read_without_its_blocks_of_code() -> None:
    text = "It tells\n```sh\necho told\n```\nno one, and no\none\n"
    assert places("docs/operations.md", text) == [(1, "tells"), (5, "no one"), (5, "no one")]


def test_a_script_is_read_as_a_whole() -> None:
    assert places("functions/pages/static/viewer/part.js", "// stands beside it") == [(1, "beside")]


@pytest.mark.parametrize("text", ["besides", "untold", "amended", "there is", "thereof", "what isolates it", "retell"])
def test_only_whole_words_count(text: str) -> None:
    assert places("README.md", text) == []


def test_a_finding_names_the_place_the_phrase_and_what_to_write() -> None:
    [finding] = findings("docs/operations.md", "\nwhen it comes\nagain")
    assert str(finding) == 'docs/operations.md:2: "comes again": is redelivered, retried, repeated'
