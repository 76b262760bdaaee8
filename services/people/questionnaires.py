"""A network's own form for families, from a FHIR R4 Questionnaire that it places: an instrument that it holds the licence of."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from schemas.errors import OperatorError
from services.people.voices import AFTER, SYSTEM, Form, Question

OWN = "own"
"""The form's name, and before its questions' codes."""
MIN_VALUE, MAX_VALUE = (f"http://hl7.org/fhir/StructureDefinition/{name}Value" for name in ("min", "max"))
TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
Item = Mapping[str, Any]
CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")
MOST = 20
"""Numbers that a question offers."""
FIX = "Give questions of type integer with minValue and maxValue, or choice with answerOption.valueInteger or numbered codings."


def load(path: Path) -> Form:
    """Raises OperatorError naming the item that cannot be asked, or that a language lacks."""
    try:
        return _loaded(path.name, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as exc:
        raise OperatorError(f"{path.name} is no FHIR Questionnaire with a title and items", FIX) from exc


def _loaded(name: str, read: Item) -> Form:
    items = list(_asked(read["item"]))
    if read.get("resourceType") != "Questionnaire" or not items or not read["title"]:
        raise OperatorError(f"{name} is no FHIR Questionnaire with items", FIX)
    found = _form(read, items, "")
    if len({each.code for each in found.questions}) < len(found.questions):
        raise OperatorError(f"{name} names a linkId twice", "Give each item a linkId of its own.")
    translated = {language: _form(read, items, language) for language in sorted(_languages([read, *items]))}
    instead_of = _instead_of(read)
    if instead_of and len({(each.low, each.high) for each in found.questions}) > 1:
        raise OperatorError(f"the questions of {name} are not marked alike", "After a visit all have one scale.")
    return replace(found, instead_of=instead_of, translated=translated)


def _form(read: Item, items: Sequence[Item], language: str) -> Form:
    return Form(OWN, _said(read, "title", language), tuple(_question(each, language) for each in items), {}, "")


def _instead_of(read: Item) -> str:
    """The form that ships in whose stead it is asked, as its `code` says: the one after a visit, or none."""
    named = {each.get("code") for each in read.get("code", []) if each.get("system") == SYSTEM}
    if named - {AFTER}:
        raise OperatorError(
            "the questionnaire's code names a form that none is asked instead of",
            f"Give {SYSTEM}|{AFTER}, or leave it out: then it is asked beside the others.",
        )
    return AFTER if named else ""


def _said(element: Item, name: str, language: str) -> str:
    """A text as it is written, or its translation (FHIR's extension `translation`). Raises OperatorError where it has none."""
    if not language or not element.get(name):
        return str(element.get(name) or "")
    for each in _translations(element, name):
        if each.get("lang") == language:
            return str(each.get("content") or "")
    where = next((named for named in map(element.get, ("linkId", "code")) if isinstance(named, str)), name)
    raise OperatorError(f"{where} is not said in {language}", "Translate every text into each language, or none.")


def _translations(element: Item, name: str) -> Iterator[dict[str, Any]]:
    for extension in element.get(f"_{name}", {}).get("extension", []):
        if extension.get("url") == TRANSLATION:
            yield {
                part.get("url"): next((value for key, value in part.items() if key.startswith("value")), "")
                for part in extension.get("extension", [])
            }


def _languages(elements: Sequence[Item]) -> set[str]:
    """Every one that any text is translated into."""
    parts = [
        *elements,
        *(option.get("valueCoding", {}) for each in elements for option in each.get("answerOption", [])),
    ]
    found = (one for each in parts for name in ("title", "text", "display") for one in _translations(each, name))
    return {str(each["lang"]) for each in found if each.get("lang")}


def _asked(items: list[Item]) -> Iterator[Item]:
    """The questions, out of their groups; what is only shown is passed over."""
    for item in items:
        if item.get("type") not in ("group", "display"):
            yield item
        yield from _asked(item.get("item", []))


def _question(item: Item, language: str) -> Question:
    name = str(item.get("linkId", ""))
    found = _by_limits(item) if item.get("type") == "integer" else _by_options(item, language)
    if not CODE.fullmatch(name) or not item.get("text") or found is None or found[1] - found[0] not in range(1, MOST):
        raise OperatorError(f"item {name[:50] or '(without linkId)'} cannot be asked", FIX)
    low, high, least, most = found
    return Question(f"{OWN}.{name}", _said(item, "text", language), low, high, least, most)


def _by_limits(item: Item) -> tuple[int, int, str, str] | None:
    limits = {each.get("url"): each.get("valueInteger") for each in item.get("extension", [])}
    low, high = limits.get(MIN_VALUE), limits.get(MAX_VALUE)
    return (low, high, "", "") if isinstance(low, int) and isinstance(high, int) else None


def _by_options(item: Item, language: str) -> tuple[int, int, str, str] | None:
    """Options that are whole numbers without a gap; the words of the first and last of them."""
    words: dict[int, str] = {}
    for option in item.get("answerOption", []):
        coding = option.get("valueCoding", {})
        number = option.get("valueInteger", coding.get("code", ""))
        if not str(number).isdigit():
            return None
        words[int(number)] = _said(coding, "display", language)
    numbers = sorted(words)
    if not numbers or numbers != list(range(numbers[0], numbers[-1] + 1)):
        return None
    return numbers[0], numbers[-1], words[numbers[0]], words[numbers[-1]]
