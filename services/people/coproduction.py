"""NET-3, co-production: of those who answered every question after a visit, how many gave each of them the best mark.

Scored as collaboRATE is, whose three items the form asks in words of its own: a top score is the best mark for all, anything less is
none (Barr et al., Journal of Medical Internet Research 16 (2014) e2). Who left a question out is not scored, and counted beside.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, and_, select

from services.people.voices import forms
from services.registry.tables import RECORD_TABLES, family_answer

FORM = "after"
By = Literal["site", "sex", "race", "ethnicity", "language"]
FEWEST = 5
"""Of fewer forms nothing is told."""
ALL = ""
"""In the place of a site or group: everybody."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Forms of one site or group of people."""

    name: str | None
    """None: what tells the group is not known of them."""
    answered: int
    """Every question was answered."""
    top: int
    partly: int
    """One was left out."""

    @property
    def enough(self) -> bool:
        """Whether there are enough of them to be told."""
        return self.answered >= FEWEST


def coproduced(connection: Connection, since: datetime, *, by: By = "site") -> list[Scored]:
    """By site or by a group of people, in the order of names; everybody (`ALL`) first. Nothing where nobody answered."""
    said = list(_forms(connection, since))
    if not said:
        return []
    known = {} if by == "site" else _groups(connection, since, by)
    found: dict[str | None, list[Mapping[str, int]]] = defaultdict(list)
    for site, subject, marks in said:
        found[site if by == "site" else known.get((site, subject))].append(marks)
    groups = sorted(found.items(), key=lambda each: (each[0] is None, each[0] or ""))
    return [_scored(ALL, (marks for _, _, marks in said)), *(_scored(name, of) for name, of in groups)]


def _forms(connection: Connection, since: datetime) -> Iterator[tuple[str, str, Mapping[str, int]]]:
    """Site, subject and marks by question of each form: what was filled in at once."""
    row = family_answer.c
    wanted = select(row.site, row.subject, row.by, row.at, row.item, row.number).where(
        row.form == FORM, row.kind == "number", row.at >= since.astimezone(UTC)
    )
    found: dict[tuple[Any, ...], dict[str, int]] = defaultdict(dict)
    for site, subject, hand, at, item, number in connection.execute(wanted):
        found[site, subject, hand, at][item] = number
    for (site, subject, *_), marks in found.items():
        yield site, subject, marks


def _groups(connection: Connection, since: datetime, by: By) -> dict[tuple[str, str], str]:
    """By site and subject of those who answered what their own record says; several races are a group of their own."""
    person, row = RECORD_TABLES["person"].c, family_answer.c
    who = select(row.site, row.subject).where(row.form == FORM, row.at >= since.astimezone(UTC)).distinct().subquery()
    source = RECORD_TABLES["person"].join(who, and_(person.subject == who.c.subject, person.site == who.c.site))
    query = select(person.site, person.subject, person[by]).select_from(source).where(person[by].is_not(None))
    said = connection.execute(query)
    return {
        (site, subject): value if isinstance(value, str) else value[0] if len(value) == 1 else "several"
        for site, subject, value in said
        if value
    }


def _scored(name: str | None, marks: Iterable[Mapping[str, int]]) -> Scored:
    best = {question.code: question.high for question in forms()[FORM].questions}
    answered, top, partly = 0, 0, 0
    for given in marks:
        if best.keys() <= given.keys():
            answered += 1
            top += all(given[code] == high for code, high in best.items())
        else:
            partly += 1
    return Scored(name, answered, top, partly)
