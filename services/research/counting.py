"""How many persons a cohort would have: suppressed, within a budget, and nothing that the difference of two answers would tell."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, func, insert, select

from schemas.errors import OperatorError
from services.registry.erasure import not_extracted
from services.registry.tables import RECORD_TABLES, count_asked
from services.research.cells import FEWEST, suppressed
from services.research.extracting import cohort_of

BUDGET, WINDOW = 20, timedelta(days=30)
"""So many different questions of one person in so long a time."""
COMPARED = 100
"""Of anybody's last questions: their answers and this one together must tell of nobody."""
AGES = ((5, "under 6"), (12, "6 to 12"), (17, "13 to 17"), (25, "18 to 25"), (200, "26 and older"))


@dataclass(frozen=True, slots=True)
class Answer:
    """What is told; None for what is not."""

    persons: int | None
    sexes: dict[str, int | None]
    ages: dict[str, int | None]
    left: int
    """Questions that are left."""


def count(connection: Connection, codes: Sequence[str], *, by: str, at: datetime) -> Answer:
    """Persons with one of these conditions; asked again within the time it is answered as before, and costs nothing. Raises
    OperatorError where the budget is used up, or the answer would tell of a few by its difference from another."""
    asked = " ".join(sorted(set(codes)))
    row, since = count_asked.c, at.astimezone(UTC) - WINDOW
    used = int(connection.scalar(select(func.count()).where(row.by == by, row.at >= since)) or 0)
    known = connection.execute(
        select(row.answer).where(row.by == by, row.cohort == asked, row.at >= since).order_by(row.at.desc())
    ).first()
    if known is not None:
        return Answer(**json.loads(known.answer), left=BUDGET - used)
    if used >= BUDGET:
        raise OperatorError(
            f"{BUDGET} questions were asked within {WINDOW.days} days", "Ask again later, or for an extract."
        )
    closed = not_extracted(connection)
    people = _people(connection, asked, closed)
    others = select(row.cohort).where(row.at >= since).order_by(row.at.desc()).limit(COMPARED)
    for other in dict.fromkeys(connection.scalars(others)):
        if _told_apart(people, _people(connection, other, closed)):
            raise OperatorError(
                "this and another answer together would tell of a few people", "Ask for a wider cohort."
            )
    answer = _answer(connection, people, at.date())
    values = {"id": uuid4().hex, "by": by, "at": at.astimezone(UTC), "cohort": asked, "answer": json.dumps(answer)}
    connection.execute(insert(count_asked).values(values))
    return Answer(**answer, left=BUDGET - used - 1)


def asked_about(connection: Connection, subject: str, at: datetime) -> int:
    """How many questions of the last thirty days were answered by a number in which a person was."""
    if subject in not_extracted(connection):
        return 0
    row = count_asked.c
    found = connection.execute(select(row.cohort, row.answer).where(row.at >= at.astimezone(UTC) - WINDOW)).all()
    answered = [each.cohort.split() for each in found if json.loads(each.answer)["persons"] is not None]
    return sum(cohort_of(connection, codes, among=subject) != frozenset() for codes in answered)


def _people(connection: Connection, cohort: str, closed: Iterable[str]) -> frozenset[str]:
    found = cohort_of(connection, cohort.split())
    if found is None:
        found = frozenset(connection.scalars(select(RECORD_TABLES["person"].c.subject)))
    return found - frozenset(closed)


def _told_apart(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether both are told, one lies within the other, and a few are beside it."""
    if min(len(one), len(other)) < FEWEST:
        return False
    return (one <= other or other <= one) and 0 < len(one ^ other) < FEWEST


def _answer(connection: Connection, people: frozenset[str], today: date) -> dict[str, Any]:
    if len(people) < FEWEST:
        return {"persons": None, "sexes": {}, "ages": {}}
    row, sexes, ages = RECORD_TABLES["person"].c, Counter[str](), Counter[str]()
    for each in connection.execute(select(row.subject, row.sex, row.birth_date)):
        if each.subject in people:
            sexes[each.sex or "not told"] += 1
            ages[_age(each.birth_date, today)] += 1
    unknown = len(people) - sexes.total()
    if unknown:
        sexes["not told"] += unknown
        ages["not told"] += unknown
    return {"persons": len(people), "sexes": dict(suppressed(sexes)), "ages": dict(suppressed(ages))}


def _age(born: str | None, today: date) -> str:
    if not born:
        return "not told"
    years = today.year - int(born[:4]) - (today.isoformat()[5:] < born[5:])
    return next(words for most, words in AGES if years <= most)
