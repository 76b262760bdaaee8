"""Days on a medicine: what was ordered, dispensed, given and reported, merged."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from transforms.derive.history import Fact, History, Step, day_of

_NOT_TAKEN = frozenset(
    [
        "cancelled",
        "draft",
        "entered-in-error",
        "not-done",
        "not-taken",
        "declined",
        "unknown",
        "intended",
        "on-hold",
        "preparation",
    ]
)
"""Among them what is on hold: since when nobody tells."""
_NOT_MEANT = frozenset({"proposal", "plan", "option"})
ORAL = frozenset({"26643006", "PO", "SWALLOW"})
INTRAVENOUS = frozenset({"47625008", "255560000", "418114005", "IV", "IVPB", "IVPUSH", "IVP"})
INTRAMUSCULAR = frozenset({"78421000", "IM"})
SYSTEMIC = ORAL | INTRAVENOUS | INTRAMUSCULAR


_CLINICAL_DRUGS = {
    "8640": ("198144", "198145", "198146", "198148", "205301", "312615", "312617", "1303125", "1303132", "1303135"),
    "6902": ("259966",),
}
"""RxNorm: tablets and solutions of prednisone, a tablet of methylprednisolone. Of other clinical drugs a site's records name
the ingredient, or its code map does.
"""
_INGREDIENT_OF = {drug: ingredient for ingredient, named in _CLINICAL_DRUGS.items() for drug in named}


def readable(ingredients: frozenset[str]) -> frozenset[str]:
    """All codes by which a record may tell one of some ingredients."""
    return ingredients | {drug for name in ingredients for drug in _CLINICAL_DRUGS.get(name, ())}


LASTS = (
    "as long as the dosage steps that are taken, else the days of supply (of an order, of each fill it allows; of what was "
    "dispensed, first), never beyond the end that is told; else up to that end, or the day it was given; as needed, on hold or "
    "of no dose tells no days"
)
"""How long a record counts, in words."""


class Course(NamedTuple):
    """Days on which a medicine was taken, first and last."""

    first: int
    last: int
    fact: Fact


def drugs(fact: Fact) -> set[str]:
    """What a record is about: RxNorm ingredients, of clinical drugs those we know; and every other code it has."""
    said = {*fact.ingredients, *(each.code for each in fact.codings)}
    if fact.code is not None:
        said.add(fact.code)
    return said | {_INGREDIENT_OF[code] for code in said & _INGREDIENT_OF.keys()}


def is_one(fact: Fact, wanted: frozenset[str]) -> bool:
    """Whether a record is about one of some drugs: codes, or beginnings of them (`H02AB*`)."""
    found = drugs(fact)
    beginnings = tuple(name[:-1] for name in wanted if name.endswith("*"))
    return bool(wanted & found) or any(code.startswith(beginnings) for code in found)


def courses(history: History, wanted: frozenset[str]) -> Iterator[Course]:
    """Of each record that tells how long it went on: its steps, its days of supply, its end, or that it was given that day.

    What is taken only as needed, or of which nothing is taken, tells no days; a step of that kind leaves its own out.
    """
    for fact in history.of("medication"):
        if fact.status in _NOT_TAKEN or fact.intent in _NOT_MEANT or not is_one(fact, wanted):
            continue
        start, end = day_of(fact.start_date), day_of(fact.end_date)
        for first, last in _spans(fact, start, end):
            if (ended := last if end is None else min(last, end)) >= first:
                yield Course(first, ended, fact)


def _spans(fact: Fact, start: int | None, end: int | None) -> Sequence[tuple[int, int]]:
    """First and last days, by the way that tells it best: what was handed over lasts as long as its supply."""
    if not any(map(_is_taken, fact.steps or (fact,))):
        return ()
    supply = None if start is None else _of_supply(fact, start)
    if supply and fact.kind == "dispensed":
        return supply
    if found := _of_steps(fact.steps, start) or supply:
        return found
    last = start if end is None and fact.kind == "given" else end
    return () if start is None or last is None else ((start, last),)


def _is_taken(step: Step | Fact) -> bool:
    """Whether it is a dose of something on days that are known."""
    return not step.as_needed and (step.dose != 0 or bool(step.dose_high))


def _of_supply(fact: Fact, start: int) -> Sequence[tuple[int, int]] | None:
    """As long as the days of supply; those of an order as often as it may be filled (CMS, Cumulative Medication Duration), of one
    that was stopped once.
    """
    if not fact.days_supply or fact.days_supply <= 0:
        return None
    fills = 1 + max(fact.refills or 0, 0) if fact.kind == "ordered" and fact.status != "stopped" else 1
    return ((start, start + max(int(fact.days_supply * fills), 1) - 1),)


def _of_steps(steps: Sequence[Step], start: int | None) -> Sequence[tuple[int, int]] | None:
    """Of each step that is taken, those of one number side by side and the next behind them; none where one is open."""
    found: list[tuple[int, int]] = []
    at: float | None = start
    for _, together in groupby(steps, attrgetter("sequence")):
        ends: list[float] = []
        for step in together:
            begun = at if (day := day_of(step.start_date)) is None else day
            ended = _end_of(step, begun)
            if begun is not None and ended is not None:
                ends.append(ended)
            if _is_taken(step):
                if begun is None or ended is None:
                    return None
                found += [(int(begun), max(int(ended) - 1, int(begun)))] if ended > begun else ()
        at = max(ends, default=None)
    return found


def _end_of(step: Step, begun: float | None) -> float | None:
    """Just behind its last day, or so many days, parts of them too, behind its begin."""
    if (last := day_of(step.end_date)) is not None:
        return last + 1
    return begun + step.days if begun is not None and step.days and step.days > 0 else None


def by_route(fact: Fact, routes: frozenset[str]) -> bool:
    """Whether a route is one of some; the one that is not told is none of them."""
    return any(each.code in routes for each in fact.route)


def days_within(taken: Iterable[Course], first: int, last: int) -> int:
    """Days of a span on which some course went on; overlaps count once, gaps do not."""
    days, upto = 0, first - 1
    for course in sorted(taken, key=lambda each: each[:2]):
        begin, end = max(course.first, upto + 1), min(course.last, last)
        if end >= begin:
            days += end - begin + 1
            upto = end
    return days


def merged(taken: Iterable[Course], gap: int) -> Iterator[list[Course]]:
    """Courses that overlap or lie at most so many days apart, together."""
    together: list[Course] = []
    for course in sorted(taken, key=lambda each: (each.first, each.last, each.fact.id)):
        if together and course.first - max(each.last for each in together) > gap:
            yield together
            together = []
        together.append(course)
    if together:
        yield together
