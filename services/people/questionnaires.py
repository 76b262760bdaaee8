"""A network's own form for families, from a FHIR R4 Questionnaire that it places: an instrument that it holds the licence of."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from schemas.errors import OperatorError
from services.people.voices import Form, Question

OWN = "own"
"""The form's name, and before its questions' codes."""
MIN_VALUE, MAX_VALUE = (f"http://hl7.org/fhir/StructureDefinition/{name}Value" for name in ("min", "max"))
CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")
MOST = 20
"""Numbers that a question offers."""
FIX = "Give questions of type integer with minValue and maxValue, or choice with answerOption.valueInteger or numbered codings."


def load(path: Path) -> Form:
    """Raises OperatorError naming the item that cannot be asked."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        title, items = str(read["title"]), list(_asked(read["item"]))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as exc:
        raise OperatorError(f"{path.name} is no FHIR Questionnaire with a title and items", FIX) from exc
    if read.get("resourceType") != "Questionnaire" or not items:
        raise OperatorError(f"{path.name} is no FHIR Questionnaire with items", FIX)
    questions = tuple(map(_question, items))
    if len({each.code for each in questions}) < len(questions):
        raise OperatorError(f"{path.name} names a linkId twice", "Give each item a linkId of its own.")
    return Form(OWN, title, questions, {}, "")


def _asked(items: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The questions, out of their groups; what is only shown is passed over."""
    for item in items:
        if item.get("type") not in ("group", "display"):
            yield item
        yield from _asked(item.get("item", []))


def _question(item: Mapping[str, Any]) -> Question:
    name = str(item.get("linkId", ""))
    found = _by_limits(item) if item.get("type") == "integer" else _by_options(item)
    if not CODE.fullmatch(name) or not item.get("text") or found is None or found[1] - found[0] not in range(1, MOST):
        raise OperatorError(f"item {name[:50] or '(without linkId)'} cannot be asked", FIX)
    low, high, least, most = found
    return Question(f"{OWN}.{name}", str(item["text"]), low, high, least, most)


def _by_limits(item: Mapping[str, Any]) -> tuple[int, int, str, str] | None:
    limits = {each.get("url"): each.get("valueInteger") for each in item.get("extension", [])}
    low, high = limits.get(MIN_VALUE), limits.get(MAX_VALUE)
    return (low, high, "", "") if isinstance(low, int) and isinstance(high, int) else None


def _by_options(item: Mapping[str, Any]) -> tuple[int, int, str, str] | None:
    """Options that are whole numbers without a gap; the words of the first and last of them."""
    words: dict[int, str] = {}
    for option in item.get("answerOption", []):
        coding = option.get("valueCoding", {})
        number = option.get("valueInteger", coding.get("code", ""))
        if not str(number).isdigit():
            return None
        words[int(number)] = str(coding.get("display", ""))
    numbers = sorted(words)
    if not numbers or numbers != list(range(numbers[0], numbers[-1] + 1)):
        return None
    return numbers[0], numbers[-1], words[numbers[0]], words[numbers[-1]]
