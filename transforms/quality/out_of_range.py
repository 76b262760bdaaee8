"""Values that nobody of that age has, by a closed table; and those that mapping found outside the range of their code."""

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from transforms.quality import About, Check
from transforms.quality.facts import Fact, Person
from transforms.quality.kinds.each import SLIP, SLIP_SOURCE, Seen, each
from transforms.quality.kinds.tables import rows

_FLAGS = {"implausible-low", "implausible-high"}


class _Range(NamedTuple):
    low_age: float
    high_age: float
    low: float
    high: float


@cache
def _ranges() -> dict[tuple[str, str], list[_Range]]:
    found: dict[tuple[str, str], list[_Range]] = defaultdict(list)
    for row in rows("plausible"):
        ages = float(row["from_months"]), float(row["to_months"] or "inf")
        found[row["code"], row["unit"]].append(_Range(*ages, float(row["low"]), float(row["high"])))
    return found


def _look(person: Person, _: About) -> Iterator[Seen]:
    for fact in person.of("observation", "pro_response"):
        if fact.value is not None and fact.code:
            wrong = not _FLAGS.isdisjoint(fact.flags) or not _fits(person, fact)
            yield Seen(fact.code, fact.id if wrong else None)


def _fits(person: Person, fact: Fact) -> bool:
    ranges = _ranges().get((fact.code or "", fact.unit or ""), ())
    if not ranges or fact.value is None or fact.day is None:
        return True
    months = person.months(fact.day)
    if months is None:
        return True
    found = next((each for each in ranges if each.low_age <= months < each.high_age), None)
    return found is None or found.low <= fact.value <= found.high


CHECK = Check(
    kind="plausibility",
    what="values outside what their code and the person's age allow",
    tolerated=SLIP,
    source="tables/plausible.csv and the mapping's units.csv, each limit with its source; `judgement` is the network's, to be "
    f"approved by its clinicians; {SLIP_SOURCE}",
    fix="Look at some of the records in the chart: a wrong unit, a wrong patient or a slip of the keyboard; correct it there.",
    who="site IT",
    alone=True,
    begin=each(_look),
)
