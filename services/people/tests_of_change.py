"""Tests of change, as plan-do-study-act has them: an aim with a number and a day, a prediction, a small start, cycles until something is
decided. They are shown on their measure's chart, where the data over time are; they move no line by themselves."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, func, insert, select

from schemas.errors import OperatorError
from services.registry.tables import test_cycle, test_of_change

NETWORK = ""
"""In the place of a site: the network's chart."""
LONGEST = 500
"""Characters of what was done."""


class Decision(StrEnum):
    """What a team decides when a cycle ends."""

    ADOPT = "adopt"
    ADAPT = "adapt"
    ABANDON = "abandon"

    @property
    def words(self) -> str:
        """For people."""
        return DECISIONS[self]


DECISIONS = {
    Decision.ADOPT: "Adopted: it is how we work now",
    Decision.ADAPT: "Adapted: tried again in another way",
    Decision.ABANDON: "Abandoned: it did not do what we hoped",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """Without which nothing is tried."""

    aim: float
    """What the measure shall reach: a share in per cent, else in the measure's unit."""
    due: date
    """Until when."""
    prediction: str
    """What we believe will happen."""
    start: str
    """How small it starts: with whom, where, how many."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """What one round taught."""

    seen: str
    """What happened."""
    as_predicted: bool
    decision: Decision
    next: str
    """What is done now, and with how many; of one that ended, what others should know."""
    due: date | None
    """When the next round is looked at; None where it ended."""
    by: str
    noted: datetime


@dataclass(frozen=True, slots=True)
class Tried:
    """What was tried."""

    site: str
    measure: str
    """The measure's id."""
    since: date
    what: str
    by: str
    noted: datetime
    plan: Plan | None = None
    """None only of what an older version noted."""
    idea: str = ""
    """Whose idea of the library it is."""
    id: str = field(default="", compare=False)
    """Given when it is noted."""
    cycles: tuple[Cycle, ...] = ()

    @property
    def ended(self) -> Decision | None:
        """Whether it was adopted or abandoned."""
        last = self.cycles[-1].decision if self.cycles else None
        return None if last is Decision.ADAPT else last

    @property
    def due(self) -> date | None:
        """When the team said it would look at it; None where it ended."""
        if self.ended or self.plan is None:
            return None
        return self.cycles[-1].due if self.cycles else self.plan.due


def note(connection: Connection, tried: Tried) -> str:
    """Keeps it; returns its id. The same that is under way is not kept twice. Raises OperatorError where a part of the plan, what is done,
    or who says so is missing."""
    _demand(tried.what, "what is done")
    _demand(tried.by, "who says so")
    if tried.plan is None:
        raise OperatorError(
            "a test of change needs a plan", "Say the aim, until when, what you predict, how small it starts."
        )
    _demand(tried.plan.prediction, "what you predict")
    _demand(tried.plan.start, "how small it starts")
    if tried.plan.due <= tried.since:
        raise OperatorError("the aim is to be reached after the day it begins", "Choose a later day.")
    row: dict[str, object] = {
        "id": uuid4().hex,
        "site": tried.site,
        "measure": tried.measure,
        "since_date": tried.since.isoformat(),
        "what": tried.what.strip(),
        "by": tried.by.strip(),
        "noted": tried.noted.astimezone(UTC),
        "aim": tried.plan.aim,
        "due_date": tried.plan.due.isoformat(),
        "prediction": tried.plan.prediction.strip(),
        "start": tried.plan.start.strip(),
        "idea": tried.idea,
    }
    same = (test_of_change.c[name] == value for name, value in row.items() if name not in ("id", "noted"))
    if under_way := [each.id for each in _found(connection, *same) if not each.ended]:
        return under_way[0]
    connection.execute(insert(test_of_change).values(row))
    return str(row["id"])


def study(connection: Connection, site: str, ident: str, cycle: Cycle) -> None:
    """Keeps what a round of a site's test taught, and what is decided, once. Raises OperatorError where it ended, or something is missing."""
    found = one_tried(connection, site, ident)
    cycle = replace(cycle, seen=cycle.seen.strip(), next=cycle.next.strip(), by=cycle.by.strip())
    if found and found.cycles and replace(found.cycles[-1], noted=cycle.noted) == cycle:
        return
    if found is None or found.ended:
        raise OperatorError("this test of change is not under way", "Load the page again: somebody may have ended it.")
    _demand(cycle.seen, "what happened")
    _demand(cycle.next, "what is next")
    if (cycle.due is None) == (cycle.decision is Decision.ADAPT):
        raise OperatorError(
            "what is adapted is looked at again, what ended is not", "Say when for an adapted one alone."
        )
    if cycle.due is not None and cycle.due <= cycle.noted.date():
        raise OperatorError("the next look is in the past", "Choose a later day.")
    row = {
        "test": ident,
        "number": len(found.cycles) + 1,
        "seen": cycle.seen,
        "as_predicted": cycle.as_predicted,
        "decision": str(cycle.decision),
        "next": cycle.next,
        "due_date": cycle.due.isoformat() if cycle.due else None,
        "by": cycle.by,
        "noted": cycle.noted.astimezone(UTC),
    }
    connection.execute(insert(test_cycle).values(row))


def tried(connection: Connection, measure: str) -> list[Tried]:
    """All that was tried for a measure, by any site, in the order of time."""
    return _found(connection, test_of_change.c.measure == measure)


def tried_of(connection: Connection, idea: str) -> list[Tried]:
    """All that was tried of an idea of the library."""
    return _found(connection, test_of_change.c.idea == idea)


def tried_ideas(connection: Connection) -> set[str]:
    """The ideas of the library that anybody has tried."""
    return set(connection.scalars(select(test_of_change.c.idea).where(test_of_change.c.idea.is_not(None)).distinct()))


def overdue(connection: Connection, today: date) -> int:
    """Of how many tests that are under way the day is past at which the team said it would look."""
    return sum(1 for each in _found(connection) if each.due is not None and each.due < today)


def noted_since(connection: Connection, day: date) -> int:
    """How many were begun since a day."""
    query = select(func.count()).select_from(test_of_change)
    return int(connection.scalar(query.where(test_of_change.c.since_date >= day.isoformat())) or 0)


def one_tried(connection: Connection, site: str, ident: str) -> Tried | None:
    """One of a site."""
    return next(iter(_found(connection, test_of_change.c.site == site, test_of_change.c.id == ident)), None)


def _found(connection: Connection, *which: Any) -> list[Tried]:
    row = test_of_change.c
    rows = list(connection.execute(select(test_of_change).where(*which).order_by(row.since_date, row.noted, row.id)))
    cycles: dict[str, list[Cycle]] = {each.id: [] for each in rows}
    for place in range(0, len(rows), LONGEST):
        named = test_cycle.c.test.in_([each.id for each in rows[place : place + LONGEST]])
        for each in connection.execute(select(test_cycle).where(named).order_by(test_cycle.c.number)):
            cycles[each.test].append(_cycle(each))
    return [_tried(each, tuple(cycles[each.id])) for each in rows]


def _tried(row: Row[Any], cycles: tuple[Cycle, ...]) -> Tried:
    plan = Plan(row.aim, date.fromisoformat(row.due_date), row.prediction, row.start) if row.due_date else None
    since = date.fromisoformat(row.since_date)
    return Tried(row.site, row.measure, since, row.what, row.by, row.noted, plan, row.idea or "", row.id, cycles)


def _cycle(row: Row[Any]) -> Cycle:
    due = date.fromisoformat(row.due_date) if row.due_date else None
    return Cycle(row.seen, row.as_predicted, Decision(row.decision), row.next, due, row.by, row.noted)


def _demand(said: str, what: str) -> None:
    if not said.strip() or len(said) > LONGEST:
        raise OperatorError(f"a test of change needs {what}, in 1 to {LONGEST} characters", "Fill it in.")
