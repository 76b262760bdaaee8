"""Texts: what a few of them say in a strict grammar, that all others do not leave, and that a field is there at all."""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from msgspec import Raw

from transforms.fhir.elements import (
    Quantity,
    Scalar,
    Unusable,
    decode,
    text_of,
)
from transforms.rules.declaring import NOTHING, Found, Rule
from transforms.rules.setting import Setting
from transforms.rules.units import in_unit, manner_of

_NUMBER = re.compile(r"(<=|>=|<|>|≤|≥)?\s*(-?(?:0|[1-9][0-9]{0,6})(?:\.[0-9]{1,6})?)(?:\s*([^0-9\s].*)|\s+([0-9].*))?")
_TITRE = re.compile(r"(<=|>=|<|>|≤|≥)?\s*1\s*:\s*([1-9][0-9]{0,6})")
_TITRES = frozenset(step << doubled for step in (1, 5, 10, 25) for doubled in range(20))
"""What dilution by halves comes to; `1:30` may be a time of day."""
_COMPARATORS = {"≤": "<=", "≥": ">="}
_LONGEST = 64
_LARGEST_BARE = 99_999
"""A longer number without a unit may be a telephone's or a record's."""


@dataclass(frozen=True, slots=True)
class ValueNames:
    """The output fields of a value that was read from a text."""

    value: str = "value"
    unit: str = "unit"
    raw_value: str = "raw_value"
    raw_unit: str = "raw_unit"
    comparator: str = "comparator"
    code: str = "value_code"
    numerator: str = "ratio_numerator"
    denominator: str = "ratio_denominator"
    absent: str = "absent"


def said(names: ValueNames, *, unit_of: str) -> Rule:
    """A text as a value: a number with comparator and unit, a titre, or a word of a closed list; all else is withheld.

    `"<0.6 mg/L"`, `"45"`, `"1:64"`, `"Negative"`. What is read so is flagged; `unit_of` names the FHIR field with the code.
    """

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        text = raw.decode() if raw[:1] in b"-0123456789" else string_of(raw)
        if not text:
            return NOTHING if raw == b"null" else Found({names.absent: "NI"})
        if code := word_code(text):
            return Found({names.code: code}, ("from-text",))
        found = _titre(text, names) or _number(text, names, companion, setting)
        return found or Found({names.absent: "OT"}, ("text-withheld",))

    gives = (
        *(names.value, names.unit, names.raw_value, names.raw_unit, names.comparator),
        *(names.code, names.numerator, names.denominator, names.absent),
    )
    return Rule(gives, read, needs=unit_of)


def _titre(text: str, names: ValueNames) -> Found | None:
    match = _TITRE.fullmatch(text)
    if match is None or int(match[2]) not in _TITRES:
        return None
    values: dict[str, Any] = {names.numerator: 1, names.denominator: int(match[2])}
    return Found(values | {names.comparator: _COMPARATORS.get(match[1], match[1])}, ("from-text",))


def _number(text: str, names: ValueNames, companion: bytes | None, setting: Setting) -> Found | None:
    match = _NUMBER.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        return None
    bound, written, *units = match.groups(default="")
    unit = "".join(units).strip()
    if not unit and abs(float(written)) > _LARGEST_BARE:
        return None
    try:
        manner = manner_of(Quantity(value=Raw(written.encode()), unit=unit or None), companion, setting)
        if manner.fault is not None or (unit and not manner.shown):
            return None
        number, noticed = in_unit(written, manner)
    except Unusable:
        return None
    values = {names.value: number, names.unit: manner.unit, names.raw_value: written, names.raw_unit: manner.shown}
    return Found(values | {names.comparator: _COMPARATORS.get(bound, bound)}, ("from-text", *noticed))


def word_code(text: str) -> str | None:
    """The SNOMED CT code of a qualitative word of the closed list, `words.csv`."""
    if len(text) > _LONGEST:
        return None
    said = " ".join(text.casefold().split())
    return _words().get(said) or _words().get(said.removesuffix("."))


def words_among(text: Scalar, codes: Iterable[str]) -> set[str]:
    """The qualitative words that codes and a text say, as SNOMED CT codes: of several one alone can be so."""
    said = word_code(text_of(text))
    return {code for code in (*codes, said or "") if code in _codes()}


_OPPOSITES = {"yes": "no", "no": "yes", "normal": "abnormal", "abnormal": "normal"}


def says_both(codes: Iterable[str], shown: Iterable[Scalar]) -> bool:
    """Whether codes (SNOMED CT's, LOINC's answers) and the words shown beside them say a thing and its opposite."""
    said = [*codes, *(word_code(text_of(each)) or "" for each in shown)]
    sides = {_sides()[code] for code in said if code in _sides()}
    return any(_OPPOSITES[side] in sides for side in sides)


@cache
def _sides() -> dict[str, str]:
    """What a code says that has an opposite: `yes`, `no`, `normal`, `abnormal`."""
    with files("transforms.codes").joinpath("words.csv").open(encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["says"]]
    return {code: row["says"] for row in rows for code in (row["code"], row["answer"]) if code}


@cache
def _codes() -> frozenset[str]:
    return frozenset(_words().values())


@cache
def _words() -> dict[str, str]:
    with files("transforms.codes").joinpath("words.csv").open(encoding="utf-8") as lines:
        return {word: row["code"] for row in csv.DictReader(lines) for word in row["words"].split("|")}


def withheld(flag: str, **values: str) -> Rule:
    """Free text, or a type the model has no place for: it does not leave; a flag and a null flavour say so."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        return Found(dict(values), (flag,)) if raw != b"null" else NOTHING

    return Rule(tuple(values), read)


def true_if_given(name: str) -> Rule:
    """A field that says by being there that something is so."""

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        return Found({name: True}) if raw != b"null" else NOTHING

    return Rule((name,), read)


def string_of(raw: bytes) -> str:
    """A JSON string without white space around it; empty for null. Raises Unusable."""
    return text_of(decode(raw, str | None))
