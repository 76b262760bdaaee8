"""Persons with a condition of whom what is always measured of it never was."""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from transforms.quality import About, Check
from transforms.quality.facts import Fact, Person
from transforms.quality.kinds.each import Seen, each
from transforms.quality.kinds.tables import rows

_VISITS = 2
"""Of whom fewer visits are known may have been measured elsewhere."""
_REFUTED = frozenset(["refuted", "entered-in-error", "unconfirmed"])


class _Expected(NamedTuple):
    of: str
    snomed: frozenset[str]
    icd10cm: tuple[str, ...]
    codes: frozenset[str]


@cache
def _table() -> list[_Expected]:
    return [
        _Expected(
            f"{row['condition']}: {row['concept']}",
            frozenset(row["snomed"].split()),
            tuple(row["icd10cm"].split()),
            frozenset(row["codes"].split()),
        )
        for row in rows("expected")
    ]


class _Known:
    """Of one person: conditions, how many visits, what was measured."""

    def __init__(self) -> None:
        self.conditions: list[Fact] = []
        self.visits, self.measured = 0, set[str]()


def _look(person: Person, _: About) -> Iterator[Seen]:
    known = person.kept(_Known)
    known.conditions += (fact for fact in person.of("condition") if fact.verification_status not in _REFUTED)
    known.visits += sum(1 for fact in person.of("encounter") if fact.happened)
    known.measured.update(fact.code for fact in person.of("observation", "pro_response") if fact.code)
    if not person.last or not known.conditions or known.visits < _VISITS:
        return
    for row in _table():
        having = [
            each for each in known.conditions if each.code in row.snomed or (each.icd10cm or "").startswith(row.icd10cm)
        ]
        if having:
            yield Seen(row.of, having[0].id if known.measured.isdisjoint(row.codes) else None)


CHECK = Check(
    kind="completeness",
    what="persons with a condition and two visits of whom what its guideline measures never came",
    tolerated=0.5,
    least=10,
    source="concepts: tables/expected.csv with their guidelines; judgement, to be approved: half of the persons",
    fix="Ask for the flowsheet or laboratory where it is recorded, and map its local code: it is measured, but not delivered or not coded.",
    who="site IT",
    begin=each(_look),
)
