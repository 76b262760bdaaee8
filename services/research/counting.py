"""How many persons a cohort would have: suppressed, within a budget, and nothing that sums and differences of answers would tell.

Each total and each table's cells are compared with all totals and all cells of that table that were told in the time, by whatever
codes, at once. By sex and by age are two tables: what both together tell of who knows, say, that all girls of a cohort are of one age,
is not compared.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, func, insert, select

from mainstem.database import in_turn
from schemas.errors import OperatorError
from services.measures.cells import FEWEST, suppressed
from services.registry.erasure import not_extracted
from services.registry.tables import RECORD_TABLES, count_asked
from services.research.extracting import cohort_of
from services.research.reckoned import tells_of_few

BUDGET, WINDOW = 20, timedelta(days=30)
"""So many different questions of one person in so long a time."""
MOST = 100
"""So many cohorts are told to all together in that time: each is compared with all others."""
NOT_TOLD = "not told"
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
    """Persons with one of these conditions; asked again within the time, by whomever, it is answered as before: what came or went since
    would be told by the difference. Raises OperatorError where the budget is used up, or the answer would tell of a few beside another."""
    asked, since = " ".join(sorted(set(codes))), at.astimezone(UTC) - WINDOW
    in_turn(connection, "count of a cohort")  # two at once would not be compared, nor both be counted
    row = count_asked.c
    earlier = connection.execute(
        select(row.by, row.answer).where(row.cohort == asked, row.at >= since).order_by(row.at)
    ).all()
    used = int(connection.scalar(select(func.count()).where(row.by == by, row.at >= since)) or 0)
    if any(each.by == by for each in earlier):
        return Answer(**json.loads(earlier[0].answer), left=BUDGET - used)
    if used >= BUDGET:
        raise OperatorError(
            f"{BUDGET} questions were asked within {WINDOW.days} days", "Ask again later, or for an extract."
        )
    answer = json.loads(earlier[0].answer) if earlier else _new(connection, asked, since, at.date())
    values = {"id": uuid4().hex, "by": by, "at": at.astimezone(UTC), "cohort": asked, "answer": json.dumps(answer)}
    connection.execute(insert(count_asked).values(values))
    return Answer(**answer, left=BUDGET - used - 1)


def _new(connection: Connection, asked: str, since: datetime, today: date) -> dict[str, Any]:
    """An answer without what it would tell beside others: no total that with theirs tells of a few people, no table whose cells would."""
    closed = not_extracted(connection)
    people = _people(connection, asked, closed)
    answer = _answer(connection, people, today)
    if answer["persons"] is None:
        return answer
    row = count_asked.c
    found = connection.execute(select(row.cohort, row.answer).where(row.at >= since).order_by(row.at)).all()
    told = {each.cohort: answered for each in found if (answered := json.loads(each.answer))["persons"] is not None}
    if len(told) >= MOST:
        raise OperatorError(
            f"{MOST} cohorts were told within {WINDOW.days} days", "Ask again later, or for an extract."
        )
    held = [(_people(connection, cohort, closed), answered) for cohort, answered in told.items()]
    for table, of in _parted(connection, today).items():
        numbers = [cell for theirs, answered in held for cell in _told(theirs, answered[table], of)]
        if tells_of_few(numbers, [people], FEWEST):
            raise OperatorError("this and other answers together would tell of a few people", "Ask for a wider cohort.")
        if tells_of_few([*numbers, people], _told(people, answer[table], of), FEWEST):
            answer[table] = {}
    return answer


def _told(people: frozenset[str], cells: dict[str, int | None], of: dict[str, str]) -> list[frozenset[str]]:
    """Of whom a table and its total give a number; the total follows where no cell is hidden."""
    parts: dict[str, set[str]] = defaultdict(set)
    for each in people:
        parts[of.get(each, NOT_TOLD)].add(each)
    whole = cells and None not in cells.values()
    return [*(frozenset(parts[cell]) for cell, count in cells.items() if count), *([] if whole else [people])]


def _parted(connection: Connection, today: date) -> dict[str, dict[str, str]]:
    """Everybody's sex and age, as the tables give them."""
    row = RECORD_TABLES["person"].c
    found = connection.execute(select(row.subject, row.sex, row.birth_date)).all()
    sexes = {each.subject: each.sex or NOT_TOLD for each in found}
    return {"sexes": sexes, "ages": {each.subject: _age(each.birth_date, today) for each in found}}


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


def _answer(connection: Connection, people: frozenset[str], today: date) -> dict[str, Any]:
    if len(people) < FEWEST:
        return {"persons": None, "sexes": {}, "ages": {}}
    cells = {
        table: dict(suppressed(Counter(of.get(each, NOT_TOLD) for each in people)))
        for table, of in _parted(connection, today).items()
    }
    return {"persons": len(people), **cells}


def _age(born: str | None, today: date) -> str:
    if not born:
        return NOT_TOLD
    years = today.year - int(born[:4]) - (today.isoformat()[5:] < born[5:])
    return next(words for most, words in AGES if years <= most)
