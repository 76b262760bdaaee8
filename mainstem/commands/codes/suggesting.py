"""What a local code, text, question or unit may mean: suggested from its words by a table of our own, for people to judge."""

import csv
import re
import unicodedata
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from transforms.codes.spellings import spelled
from transforms.codes.systems import CVX, LOINC, RXNORM, SNOMED, UCUM
from transforms.codes.units import UnitFault, turned, unit_table

_SYSTEMS = {"loinc": LOINC, "snomed": SNOMED, "cvx": CVX, "rxnorm": RXNORM, "ucum": UCUM}
_NO_WORDS = """
a an and by current for from in level
measured measurement of on patient result the value with
"""
_SAYS_NOTHING = frozenset(_NO_WORDS.split())
_WORD = re.compile(r"[a-z0-9%]+")
_ASIDE = re.compile(r"\([^)]*\)|\[[^\]]*\]")
_PART = 0.5
"""A synonym that stands among other words is worth half, and more the fewer these are."""
ENOUGH = 0.6


class Suggestion(NamedTuple):
    """A code that may be meant."""

    code: str
    words: str
    """Of the table, by which it was found."""
    score: float
    """1: the same words; less: they stand among others."""

    @property
    def how(self) -> str:
        """How sure it is, in words."""
        return f"the same as '{self.words}'" if self.score == 1 else f"has '{self.words}' in it"


class _Known(NamedTuple):
    system: str
    code: str
    words: str
    tokens: frozenset[str]


def suggestions(target: str, texts: list[str], units: list[str]) -> list[Suggestion]:
    """What is meant in a system by what is written so, the likeliest first; none whose values `units` cannot be."""
    found: dict[str, Suggestion] = {}
    for text in texts:
        for each in _by_spelling(text) if target == UCUM else ():
            found.setdefault(each.code, each)
        said = _tokens(text)
        for known in _table():
            score = _score(said, known.tokens) if known.system == target else 0
            if score >= (1 if target == UCUM else ENOUGH) and score > (
                found[known.code].score if known.code in found else 0
            ):
                found[known.code] = Suggestion(known.code, known.words, score)
    fitting = [each for each in found.values() if target != LOINC or _measures(each.code, units)]
    return sorted(fitting, key=lambda each: -each.score)


def _by_spelling(text: str) -> list[Suggestion]:
    unit = spelled(text.strip(" .").lower()) or spelled(text.strip(" ."))
    return [Suggestion(unit, unit, 1)] if unit else []


def _score(said: frozenset[str], known: frozenset[str]) -> float:
    if not said or not known <= said:
        return 0
    return 1 if said == known else _PART + _PART * len(known) / len(said)


def _measures(code: str, units: list[str]) -> bool:
    """Whether all units that came with a code can be those of another."""
    row = unit_table().get(code)
    try:
        return all(row is None or turned(unit, row) for unit in units)
    except UnitFault:
        return False


def _tokens(text: str) -> frozenset[str]:
    plain = unicodedata.normalize("NFKD", text.casefold()).replace("'s ", "s ").replace("'", "")
    bare = _ASIDE.sub(" ", plain)
    return frozenset(_WORD.findall(bare if _WORD.search(bare) else plain)) - _SAYS_NOTHING


@cache
def _table() -> list[_Known]:
    with files(__package__).joinpath("synonyms.csv").open(encoding="utf-8") as lines:
        return [
            _Known(_SYSTEMS[row["system"]], row["code"], words, _tokens(words))
            for row in csv.DictReader(lines)
            for words in row["words"].split("|")
        ]
