"""A file of retention rules: all of it is right, or none of it is used and the lines are named."""

from pathlib import Path

import pytest

from core.domain.retention import RetentionRule
from local_runner.cli.retention_file import MAX_ERRORS, InvalidRulesError, read_file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rules"


def test_each_line_is_a_rule(file: Path) -> None:
    file.write_text('# ours\n\n{"keep_days": 300}\r\n{"type": "a", "customer": null, "keep_days": 36500}\n')
    assert read_file(file) == [RetentionRule(None, None, 300), RetentionRule("a", None, 36_500)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"type": "a"}', "line 1: keep_days is required"),
        ('{"keep_days": 9}\n\n{"keep_days": 0, "type": "b"}', "line 3: keep_days"),
        ('{"keep_days": 36501}', "line 1: keep_days"),
        ('{"keep_days": "9"}', "line 1: keep_days"),
        ('{"keep_days": 9.0}', "line 1: keep_days"),
        ('{"keep_days": 300}\n# x\n{"keep_days": 9}', "line 3: is about the same events as line 1"),
        ('{"keep_days": 300, "days": 3}', "line 1: days is unknown: use type, customer, keep_days"),
        ('{"keep_days": 300, "keep_days": 3}', "line 1: "),
        ('{"keep_days": 300, "customer": 9223372036854775808}', "line 1: "),
        ('{"keep_days": 300', "line 1: "),
        ("[]", "line 1: the line"),
        ("# nothing", "has no rule"),
    ],
)
def test_a_wrong_line_is_named(file: Path, content: str, said: str) -> None:
    file.write_text(content)
    with pytest.raises(InvalidRulesError) as caught:
        read_file(file)
    assert said in str(caught.value)


def test_all_wrong_lines_are_named_up_to_a_number(file: Path) -> None:
    file.write_text("{}\n" * (MAX_ERRORS + 3))
    with pytest.raises(InvalidRulesError) as caught:
        read_file(file)
    assert str(caught.value).split("; ")[-2:] == [f"line {MAX_ERRORS}: keep_days is required", "and 3 more."]
    assert str(caught.value).isprintable(), "the command writes an error on one line"


def test_a_file_that_is_not_there_is_an_error(file: Path) -> None:
    with pytest.raises(InvalidRulesError, match="cannot be read"):
        read_file(file)
