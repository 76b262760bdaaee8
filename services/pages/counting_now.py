"""Whether a measure counts somebody: asked when their site sets them aside, so that nobody says it to no purpose."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import Connection

from services.measures.compile.from_registry import persons_of
from services.measures.compile.memory import InMemory
from services.measures.compile.people import Person
from services.measures.compile.reasons import Reasoning
from services.measures.declared import Measure
from services.measures.evaluate.counts import needed_types
from services.measures.evaluate.periods import periods
from services.measures.evaluate.persons import Standing, standings
from services.registry.completeness import completeness

COUNTS = ("initial-population", "set-aside", "unknown")
"""Whoever is in one of these counts, would but for having been set aside, or may."""


class CountingNow(NamedTuple):
    """Of one person and one measure."""

    counted: bool
    """In a month of the last twelve, or perhaps."""
    concerned: bool
    """Whether it can count them at all, as their records are: they have what it is about, or that is not known."""
    why: str = ""
    """Why it does not count them, in words without their dates and values."""


def counting_now(connection: Connection, measure: Measure, site: str, subject: str, today: date) -> CountingNow:
    """How it is as of a day."""
    person = next((each for each in persons_of(connection, [subject]) if each.site == site), None)
    if missing := _missing(connection, measure, site):
        return CountingNow(False, True, f"nothing is known yet: {', '.join(missing)} not loaded")
    if person is None:
        return CountingNow(False, False, "nothing of them is here")
    months = periods("month", today.replace(year=today.year - 1, day=1).isoformat(), today.isoformat())
    if not _concerned(measure, InMemory(next(iter(months.values()))), person):
        return CountingNow(False, False, f"nothing of theirs says “{measure.cohort.name}”")
    found = list(standings([measure], [person], months, why=True))
    if any(each.populations[name] for each in found for name in COUNTS):
        return CountingNow(True, True)
    return CountingNow(False, True, _why(found))


def _missing(connection: Connection, measure: Measure, site: str) -> list[str]:
    types = next((each.types for each in completeness(connection) if each.site == site), {})
    return [name for name in needed_types(measure) if name in types and types[name].state == "not loaded"]


def _concerned(measure: Measure, evaluator: InMemory, person: Person) -> bool:
    return measure.confined_to is None or bool(evaluator.events(measure.confined_to)(person))


def _why(found: Sequence[Standing]) -> str:
    if not found:
        return "nothing of the last twelve months makes anybody count"
    failed = next(iter(_failing(found[-1].why)), None)
    return f"not so: “{failed}”" if failed else "they meet no condition of it"


def _failing(why: Sequence[Reasoning]) -> Iterator[str]:
    """The innermost conditions of the first that does not hold."""
    for each in why[:1]:
        for step in each.steps:
            if step.answer is not True:
                yield from _failing([step])
        if each.answer is not True:
            yield each.name
