"""NET-3, co-production: of those who answered every question after a visit, how many gave each of them the best mark.

Scored as collaboRATE is, whose three items the form asks in words of its own, unless a network places the instrument itself: a top score
is the best mark for all, anything less is none; beside it the mean of the marks (Barr et al., Journal of Medical Internet Research 16
(2014) e2). Who left a question out is not scored, and counted beside. Forms of one instrument alone are counted together.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Subquery, select

from services.people.groups import Group, groups_of
from services.people.voices import AFTER, Form, forms
from services.registry.tables import family_answer

By = Literal["site"] | Group
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
    mean: float | None
    """Of the marks of those who answered every question."""

    @property
    def enough(self) -> bool:
        """Whether there are enough of them to be told."""
        return self.answered >= FEWEST


def coproduced(connection: Connection, since: datetime, *, by: By = "site", asked: Form | None = None) -> list[Scored]:
    """By site or by a group of people, in the order of names; everybody (`ALL`) first. Nothing where nobody answered. `asked`: what the
    network asks after a visit, where it is not the form that ships."""
    asked = asked or forms()[AFTER]
    said = list(_forms(connection, since, asked))
    if not said:
        return []
    known = {} if by == "site" else groups_of(connection, _who(since, asked), by, max(each.at for each in said).date())
    found: dict[str | None, list[_Marked]] = defaultdict(list)
    for each in said:
        found[each.site if by == "site" else known.get((each.site, each.subject))].append(each)
    groups = sorted(found.items(), key=lambda each: (each[0] is None, each[0] or ""))
    return [_scored(ALL, said, asked), *(_scored(name, of, asked) for name, of in groups)]


class _Marked(NamedTuple):
    """A form: what was filled in at once."""

    site: str
    subject: str
    at: datetime
    marks: Mapping[str, int]
    """By question."""


def _forms(connection: Connection, since: datetime, asked: Form) -> Iterator[_Marked]:
    row = family_answer.c
    wanted = select(row.site, row.subject, row.by, row.at, row.item, row.number).where(
        row.form == asked.name, row.kind == "number", row.at >= since.astimezone(UTC)
    )
    found: dict[tuple[Any, ...], dict[str, int]] = defaultdict(dict)
    for site, subject, hand, at, item, number in connection.execute(wanted):
        found[site, subject, hand, at][item] = number
    for (site, subject, _, at), marks in found.items():
        yield _Marked(site, subject, at, marks)


def _who(since: datetime, asked: Form) -> Subquery:
    """Site and subject of those who answered."""
    row = family_answer.c
    theirs = select(row.site, row.subject).where(row.form == asked.name, row.at >= since.astimezone(UTC))
    return theirs.distinct().subquery()


def _scored(name: str | None, said: Sequence[_Marked], asked: Form) -> Scored:
    best = {question.code: question.high for question in asked.questions}
    given = [each.marks for each in said]
    whole = [[each[code] for code in best] for each in given if best.keys() <= each.keys()]
    top = sum(found == list(best.values()) for found in whole)
    mean = fmean(map(fmean, whole)) if whole else None
    return Scored(name, len(whole), top, len(given) - len(whole), mean)
