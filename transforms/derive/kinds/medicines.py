"""Days on a medicine: what was ordered, dispensed, given and reported, merged."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from transforms.derive.history import Fact, History, day_of

_NOT_TAKEN = frozenset({"cancelled", "draft", "entered-in-error", "not-done", "not-taken", "declined", "unknown"})
_NOT_MEANT = frozenset({"proposal", "plan", "option"})
ORAL = frozenset({"26643006", "PO", "SWALLOW"})
INTRAVENOUS = frozenset({"47625008", "255560000", "418114005", "IV", "IVPB", "IVPUSH", "IVP"})
INTRAMUSCULAR = frozenset({"78421000", "IM"})
SYSTEMIC = ORAL | INTRAVENOUS | INTRAMUSCULAR


class Course(NamedTuple):
    """Days on which a medicine was taken, first and last."""

    first: int
    last: int
    fact: Fact


def courses(history: History, ingredients: frozenset[str]) -> Iterator[Course]:
    """Of each record that tells how long it went on: its end, its days of supply, or that it was given that day."""
    for fact in history.of("medication"):
        if fact.status in _NOT_TAKEN or fact.intent in _NOT_MEANT or not ingredients & {*fact.ingredients}:
            continue
        if (first := day_of(fact.start_date)) is not None and (last := _last(fact, first)) is not None:
            yield Course(first, last, fact)


def _last(fact: Fact, first: int) -> int | None:
    last = day_of(fact.end_date)
    if last is None and fact.days_supply and fact.days_supply > 0:
        last = first + max(int(fact.days_supply), 1) - 1
    if last is None and fact.kind == "given":
        last = first
    return last if last is not None and last >= first else None


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
