"""The texts of the log viewer: complete in each language, used by the page, and written as the language is."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from core.auth.sign_in_refusals import Refusal
from functions.pages import viewer

FOLDER = Path(viewer.__file__).with_name("static") / "viewer"
OTHERS = ("de", "fr")
SAME_WORDS = {"page.api", "keys.esc", "filter.label", "filter.placeholder", "filter.section", "live.label", "copy.link"}
SAME_WORDS |= {"field.action", "field.session", "title.action", "title.session", "signIn.token", "share.link"}
SAME_WORDS |= {"chart.type", "field.type", "report.question", "report.source", "problem.filter"}
SAME_WORDS |= {"streams.title", "streams.format", "streams.kind", "manage.name", "manage.done", "manage.actOf"}
SAME_WORDS |= {"manage.acts", "rules.unit.60"}
"""Texts that another language may share with English: its words, the names of things, or nothing but values."""

Texts = dict[str, str | dict[str, str]]


def texts_of(language: str) -> Texts:
    """The object in a file of texts, whose notation differs from JSON in names, commas and joined strings."""
    source = (FOLDER / f"lang-{language}.js").read_text()
    body = source[source.index("{") : source.rindex("}") + 1]
    quoted = re.sub(r"(?m)^(.*:\s*)'(.*)',$", lambda found: f"{found[1]}{_double_quoted(found[2])},", body)
    joined = re.sub(r'"\s*\+\s*"', "", quoted)
    named = re.sub(r"(?m)(^\s*|\{ |, )(one|other):", r'\1"\2":', joined)
    return dict(json.loads(re.sub(r",(\s*})", r"\1", named)))


def _double_quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


ENGLISH = texts_of("en")
SCRIPTS = {path.name: path.read_text() for path in FOLDER.glob("*.js") if not path.name.startswith("lang-")}
PAGES = [(FOLDER / name).read_text() for name in ("index.html", "sign-in-failed.html")]
every_other_language = pytest.mark.parametrize("language", OTHERS)
every_language = pytest.mark.parametrize("language", ["en", *OTHERS])


def forms(text: str | dict[str, str]) -> list[str]:
    return [text] if isinstance(text, str) else list(text.values())


def words(text: str) -> str:
    return re.sub(r"\{[a-z]+\}", "", text)


def test_the_languages_of_the_page_are_those_with_a_file() -> None:
    assert {path.stem.removeprefix("lang-") for path in FOLDER.glob("lang-*.js")} == {"en", *OTHERS}
    assert re.findall(r'^  \["(\w\w)", \w\w\],$', SCRIPTS["language.js"], re.MULTILINE) == ["en", *OTHERS]


@every_other_language
def test_each_language_has_the_texts_of_english_in_the_same_order(language: str) -> None:
    assert list(texts_of(language)) == list(ENGLISH)


@every_other_language
def test_the_texts_of_a_language_take_the_values_of_the_english_ones(language: str) -> None:
    optional = {"problem.404", "problem.429", "problem.500", "problem.503"}  # the words of the service are English
    for key, text in texts_of(language).items():
        assert isinstance(text, str) == isinstance(ENGLISH[key], str), key
        for form, english in zip(forms(text), forms(ENGLISH[key]), strict=True):
            if key not in optional:
                assert set(re.findall(r"\{\w+\}", form)) == set(re.findall(r"\{\w+\}", english)), key


@every_language
def test_a_text_with_two_forms_has_them_for_one_and_for_other_numbers(language: str) -> None:
    counted = [text for text in texts_of(language).values() if isinstance(text, dict)]
    assert counted
    assert all(list(text) == ["one", "other"] for text in counted)


@every_other_language
def test_no_text_is_left_in_english(language: str) -> None:
    left = {key for key, text in texts_of(language).items() if text == ENGLISH[key] and any(map(words, forms(text)))}
    assert left - SAME_WORDS == set()


@every_language
def test_no_text_has_the_marks_of_a_draft(language: str) -> None:
    for key, text in texts_of(language).items():
        for form in forms(text):
            assert form == form.strip() or key in {"report.and", "report.or"}, key
            assert "  " not in form, key
            assert "..." not in form, key
            assert "~" not in form, key


def test_french_has_a_no_break_space_before_its_high_marks() -> None:
    for key, text in texts_of("fr").items():
        for form in forms(text):
            assert not re.search(r"[\w}] ?[;!?]|[\w}] :|[\w}]: ", form), key
            assert "'" not in form, key


def test_the_page_uses_every_text_and_no_other() -> None:
    code = "\n".join(SCRIPTS.values())
    named = {f"refusal.{refusal.name.lower()}" for refusal in Refusal}
    for page in PAGES:
        named |= set(re.findall(r'data-(?:text|label|placeholder|title)="([\w.-]+)"', page))
    named |= set(re.findall(r'"([a-zA-Z]+\.[\w.-]+)"', code)) & set(ENGLISH)
    said = set(re.findall(r'\bsay(?:Parts)?\(\s*"([\w.-]+)"', code))
    prefixes = {*re.findall(r"\bsay(?:Parts)?\([^`)]*`(\w+\.)\$\{", code), "problem.", "verb."}
    assert said - set(ENGLISH) == set()
    assert named - set(ENGLISH) == set()
    unused = {key for key in set(ENGLISH) - named - said if not any(key.startswith(prefix) for prefix in prefixes)}
    assert unused == set()


class _Static(HTMLParser):
    """Collects the keys in a page, with the texts that stand there."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._key: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        given: dict[str, Any] = dict(attrs)
        for key, attribute in {"label": "aria-label", "placeholder": "placeholder", "title": "title"}.items():
            if f"data-{key}" in given:
                self.found.append((given[f"data-{key}"], given[attribute]))
        self._key = given.get("data-text")

    def handle_data(self, data: str) -> None:
        if self._key:
            self.found.append((self._key, data))
            self._key = None


def test_the_page_as_it_is_sent_has_the_english_texts() -> None:
    static = _Static()
    for page in PAGES:
        static.feed(page)
    found = [each for each in static.found if each != ("{key}", "{refusal}")]
    assert len(found) > 50
    assert [(key, ENGLISH[key]) for key, _ in found] == found


def test_each_reason_of_a_failed_sign_in_has_the_text_that_the_service_sends() -> None:
    for refusal in Refusal:
        assert ENGLISH[f"refusal.{refusal.name.lower()}"] == refusal


def test_no_words_of_the_page_are_outside_of_the_files_of_texts() -> None:
    """Strings that look like prose in the scripts; names of things and messages to programmers aside."""
    prose = re.compile(r'"([A-Z][a-z]+(?: [a-z]+)*[.:]?|[a-z]+(?: [a-z]+){2,}[.:]?)"')
    allowed = {"Escape", "Enter", "Authorization", "Date", "Link", "is not a parameter"}  # the last is the API's
    for name, source in SCRIPTS.items():
        if name == "verifier.js":  # its reasons are English, as those of the other verifiers
            continue
        code = re.sub(r"(?m)^\s*(//|/?\*).*$|throw new TypeError.*$", "", source)
        found = {text for text in prose.findall(code) if not re.fullmatch(r"Arrow\w+", text)}
        assert found - allowed == set(), name
