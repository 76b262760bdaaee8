"""How many persons a cohort would have: suppressed, within a budget, and nothing that the difference of two answers would tell."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from itertools import count as count_up
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
    """An answer without what it would tell beside others: no few people by totals, no table whose cells would tell of a few."""
    closed = not_extracted(connection)
    people = _people(connection, asked, closed)
    answer = _answer(connection, people, today)
    if answer["persons"] is None:
        return answer
    row = count_asked.c
    told = select(row.cohort, row.answer).where(row.at >= since).order_by(row.at.desc()).limit(COMPARED)
    others = [each.cohort for each in connection.execute(told) if json.loads(each.answer)["persons"] is not None]
    places: _Places = defaultdict(count_up().__next__)
    held = [_people(connection, each, closed) for each in dict.fromkeys(others)]
    if tells_of_few([*held, people], FEWEST):
        raise OperatorError("this and other answers together would tell of a few people", "Ask for a wider cohort.")
    theirs = [_bits(each, places) for each in held]
    for apart in _told_apart(_bits(people, places), theirs):
        for table, cells in zip(("sexes", "ages"), _cells(connection, _those(apart, places), today), strict=True):
            if any(0 < each < FEWEST for each in cells.values()):
                answer[table] = {}
    return answer


_Places = defaultdict[str, int]
"""By person the bit that stands for them."""


def _bits(people: Iterable[str], places: _Places) -> int:
    """A bit a person: many cohorts of many people are held at once."""
    numbers = [places[each] for each in people]
    found = bytearray(max(numbers, default=0) // 8 + 1)
    for number in numbers:
        found[number // 8] |= 1 << number % 8
    return int.from_bytes(found, "little")


def _those(bits: int, places: _Places) -> frozenset[str]:
    found = bits.to_bytes(len(places) // 8 + 1, "little")
    return frozenset(each for each, number in places.items() if found[number // 8] >> number % 8 & 1)


def _told_apart(people: int, others: Sequence[int]) -> Iterator[int]:
    """The people whose number follows from this answer and one or two others: beside a cohort that lies within another, or in both of
    two of which the union is told as well; whatever codes they were asked by."""
    within = [theirs for theirs in others if theirs | people == people != theirs]
    around = [theirs for theirs in others if theirs | people == theirs != people]
    yield from (people ^ theirs for theirs in (*within, *around))
    yield from (one & two for one, two in combinations(within, 2) if one | two == people)
    yield from (people & theirs for whole in around for theirs in others if people | theirs == whole != theirs)


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
    sexes, ages = _cells(connection, people, today)
    return {"persons": len(people), "sexes": dict(suppressed(sexes)), "ages": dict(suppressed(ages))}


def _cells(connection: Connection, people: frozenset[str], today: date) -> tuple[Counter[str], Counter[str]]:
    """By sex and by age."""
    row, sexes, ages = RECORD_TABLES["person"].c, Counter[str](), Counter[str]()
    if not people:
        return sexes, ages
    for each in connection.execute(select(row.subject, row.sex, row.birth_date)):
        if each.subject in people:
            sexes[each.sex or "not told"] += 1
            ages[_age(each.birth_date, today)] += 1
    unknown = len(people) - sexes.total()
    if unknown:
        sexes["not told"] += unknown
        ages["not told"] += unknown
    return sexes, ages


def _age(born: str | None, today: date) -> str:
    if not born:
        return "not told"
    years = today.year - int(born[:4]) - (today.isoformat()[5:] < born[5:])
    return next(words for most, words in AGES if years <= most)
