"""Scores of a questionnaire: its total as it is told, else the sum of its items, each answered."""

from collections.abc import Iterator
from typing import NamedTuple

from schemas.outcomes.replacing import OF_ONE_RESOURCE
from transforms.derive.history import Fact, History, day_of

_OFTEN = {"LA6568-5": 0.0, "LA6569-3": 1.0, "LA6570-1": 2.0, "LA6571-9": 3.0}
"""LOINC's answers to how often: not at all, several days, more than half the days, nearly every day → their scores."""
_MOST = 3


class Items(NamedTuple):
    """Questions of which a score is the sum, each 0 to 3."""

    codes: tuple[str, ...]
    others: tuple[str, ...] = ()
    """Further questions of the longer form that begins with these: where one of them is answered it is that form."""


class Score(NamedTuple):
    """A score, told or summed up."""

    value: float
    anchor: Fact
    inputs: tuple[Fact, ...]


def totals(history: History, codes: tuple[str, ...], items: Items | None) -> Iterator[Score]:
    """Each total that is told, in whole points; of a day without one the sum of the items, where each is answered once."""
    told = history.readings(codes)
    yield from (Score(value, fact, (fact,)) for _day, value, fact in told if value == int(value))
    days = set(told.days)
    for answered in _answers(history, items) if items else ():
        if day_of(answered[0].effective_date) not in {None, *days}:
            points = [_points(fact) for fact in answered]
            if None not in points:
                yield Score(sum(filter(None, points)), answered[0], tuple(answered))


def _answers(history: History, items: Items) -> Iterator[list[Fact]]:
    """The answers to all of the items, in their order, of each response or panel, or of one moment."""
    groups: dict[tuple[str, str], dict[str, list[Fact]]] = {}
    asked = {*items.codes, *items.others}
    for fact in history.coded(asked):
        if fact.code in asked and fact.comparator is None:
            of_one = fact.type, fact.id[:OF_ONE_RESOURCE] if fact.type == "pro_response" else fact.effective or ""
            groups.setdefault(of_one, {}).setdefault(fact.code, []).append(fact)
    for (_type, place), group in groups.items():
        if place and group.keys() == set(items.codes) and all(len(facts) == 1 for facts in group.values()):
            yield [group[code][0] for code in items.codes]


def _points(fact: Fact) -> float | None:
    """What an answer scores: as it says itself, as a number, or as LOINC's answer does."""
    found = fact.weight if fact.weight is not None else fact.value
    if found is None:
        found = _OFTEN.get(fact.value_code or "")
    return found if found is not None and 0 <= found <= _MOST and found == int(found) else None
