"""The page in each language: complete, every gap filled, and no harder to read than it must be."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po

from services.home import consenting, goals, knowledge, proposing, raising, reading, showing, words
from services.home.words import language_of, languages
from services.measures.library import measures
from services.people.voices import forms

FOLDER = Path(words.__file__).parent
SAID = re.compile(r"""\bsay\((?:"((?:[^"\\]|\\.)*)"|'([^']*)')""")
SAID_MANY = re.compile(r"""\bsay_many\("([^"]*)", "([^"]*)",""")
OTHERS = [code for code in languages() if code != words.ENGLISH]
HARDEST = {"en": 8.0, "es": 55.0}
"""School grade at most (Flesch–Kincaid); of Spanish the least ease (Szigriszt–Pazos, INFLESZ: from 55 on it is normal)."""


def texts() -> Iterator[str]:
    """Every English sentence of the page."""
    for path in sorted((FOLDER / "templates").glob("*.html")):
        text = path.read_text(encoding="utf-8")
        yield from (found[1] or found[2] for found in SAID.finditer(text))
        yield from (each for found in SAID_MANY.finditer(text) for each in found.groups())
    for path in sorted(FOLDER.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "say"
            if called and isinstance(node.args[0], ast.Constant):  # type: ignore[attr-defined]
                yield str(node.args[0].value)  # type: ignore[attr-defined]
    tables: tuple[Mapping[Any, str], ...] = (
        showing.TITLES,
        showing.DIRECTIONS,
        showing.LINES,
        showing.EXPECTED,
        reading.ROLES,
        reading.NO_ROLE,
        raising.ABOUTS,
        raising.WHO,
        proposing.SPEAKERS,
        goals.NAMES,
        consenting.TITLES,
        consenting.GIVEN,
        consenting.CHANGES,
        consenting.WISHES,
    )
    for table in tables:
        yield from table.values()
    for told in knowledge.TOLD.values():
        yield from (told.met, *told.unknown)
    for form in forms().values():
        yield from (form.title, form.words, *form.topics.values())
        yield from (text for each in form.questions for text in (each.text, each.low_words, each.high_words))


def names() -> set[str]:
    """Of measures: they are told as they are called."""
    return {each.title for each in measures().values()}


def spoken(text: str) -> str:
    return re.sub(r"\{[a-z]+\}", "12", text)


@pytest.mark.parametrize("code", OTHERS)
def test_a_language_has_every_sentence_and_none_that_is_no_more(code: str) -> None:
    with (FOLDER / "words" / f"{code}.po").open("rb") as file:
        kept = dict(pair for message in read_po(file, locale=code) if message.id for pair in forms_of(message))
    assert (set(texts()) | names()) - set(kept) == set()
    assert set(kept) - set(texts()) - names() == set()
    for english, other in kept.items():
        assert other, english
        assert sorted(re.findall(r"\{[a-z]+\}", english)) == sorted(re.findall(r"\{[a-z]+\}", other)), english


def forms_of(message: Message) -> Iterator[tuple[str, str]]:
    """A message and its translation; of one that is told of one and of many, both, in a language that has as many forms."""
    if isinstance(message.id, str) or not isinstance(message.string, tuple | list):
        yield str(message.id), str(message.string)
    else:
        yield from zip(message.id, message.string, strict=True)


@pytest.mark.parametrize(
    ("code", "number", "said"),
    [
        ("en", 1, "Waiting for 1 day."),
        ("en", 2, "Waiting for 2 days."),
        ("en", 1200, "Waiting for 1,200 days."),
        ("es", 1, "Espera desde hace 1 día."),
        ("es", 0, "Espera desde hace 0 días."),
        ("es", 2, "Espera desde hace 2 días."),
    ],
)
def test_one_and_many_are_told_apart(code: str, number: int, said: str) -> None:
    assert languages()[code].say_many("Waiting for {number} day.", "Waiting for {number} days.", number) == said


def syllables(word: str, code: str) -> int:
    vowels = "aeiouy" if code == "en" else "aeiouáéíóúü"
    count = len(re.findall(f"[{vowels}]+", word.lower()))
    if code == "en" and word.lower().endswith("e") and not word.lower().endswith("le") and count > 1:
        count -= 1
    return max(1, count)


def level(sentences: list[str], code: str) -> float:
    words_ = [word for each in sentences for word in re.findall(r"[^\W\d_]+", each)]
    stops = sum(max(1, len(re.findall(r"[.!?:;]", each))) for each in sentences)
    a_word, a_sentence = sum(syllables(word, code) for word in words_) / len(words_), len(words_) / stops
    if code == "en":
        return 0.39 * a_sentence + 11.8 * a_word - 15.59
    return 206.835 - 62.3 * a_word - a_sentence


@pytest.mark.parametrize("code", list(languages()))
def test_page_is_read_by_somebody_who_left_school_early(code: str) -> None:
    """Of the sentences of the page, not of single words."""
    said = [spoken(languages()[code].say(each)) for each in dict.fromkeys(texts()) if len(each.split()) > 4]
    found = level(said, code)
    assert found <= HARDEST[code] if code == "en" else found >= HARDEST[code], f"{code}: {found:.1f}"


@pytest.mark.parametrize(
    ("chosen", "accepted", "code"),
    [
        ("es", "en", "es"),
        (None, "es-MX,es;q=0.9,en;q=0.8", "es"),
        (None, "fr,ES;q=0.5", "es"),
        (None, "fr", "en"),
        ("xx", "", "en"),
        (None, "\x00;;,,", "en"),
    ],
)
def test_language_is_what_was_chosen_else_what_the_browser_accepts(
    chosen: str | None, accepted: str, code: str
) -> None:
    assert language_of(chosen, accepted).code == code
