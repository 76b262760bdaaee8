"""Days on a medicine: what was ordered, dispensed, given and reported, merged."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from transforms.derive.history import Fact, History, Step, day_of

_NOT_TAKEN = frozenset({"cancelled", "draft", "entered-in-error", "not-done", "not-taken", "declined", "unknown"})
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
    """Of each record that tells how long it went on: its end, its days of supply, its steps, or that it was given that day."""
    for fact in history.of("medication"):
        if fact.status in _NOT_TAKEN or fact.intent in _NOT_MEANT or not is_one(fact, wanted):
            continue
        if (first := day_of(fact.start_date)) is not None and (last := _last(fact, first)) is not None:
            yield Course(first, last, fact)


def _last(fact: Fact, first: int) -> int | None:
    last = day_of(fact.end_date)
    if last is None and fact.days_supply and fact.days_supply > 0:
        last = first + max(int(fact.days_supply), 1) - 1
    if last is None:
        last = _last_of_steps(fact.steps, first)
    if last is None and fact.kind == "given":
        last = first
    return last if last is not None and last >= first else None


def _last_of_steps(steps: Sequence[Step], first: int) -> int | None:
    """A taper: its last step's end, or the days of all steps, those of one number at once; none where a step is open."""
    ends = [day_of(step.end_date) for step in steps]
    if ends and None not in ends:
        return max(day for day in ends if day is not None)
    days: dict[int | None, float] = {}
    for step in steps:
        if not step.days or step.days <= 0:
            return None
        days[step.sequence] = max(days.get(step.sequence, 0), step.days)
    return first + max(int(sum(days.values())), 1) - 1 if days else None


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
