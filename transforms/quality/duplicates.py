"""The same fact by two roads: two resources that say the same of the same moment."""

from collections.abc import Callable, Iterator
from typing import Any

from transforms.quality import About, Check
from transforms.quality.facts import PLANNED, Fact, Person
from transforms.quality.facts.hashes import Hashes
from transforms.quality.kinds.each import SLIP, SLIP_SOURCE, Seen, each

_KEYS: dict[str, Callable[[Fact], tuple[Any, ...]]] = {
    "encounter": lambda fact: (
        fact.start or fact.dated,
        fact.class_code,
        fact.status in PLANNED,
        () if fact.start else (fact.end, _codes(fact.types)),  # of a day alone there may be two visits
    ),
    "observation": lambda fact: (fact.effective, _code(fact), fact.value, fact.value_code, fact.comparator, fact.unit),
    "procedure": lambda fact: (fact.performed, _code(fact)),
    "immunization": lambda fact: (fact.occurrence_date, _code(fact), fact.status),
    "condition": lambda fact: (
        *(fact.recorded_date or fact.onset_date, fact.onset_date, _code(fact), fact.icd10cm, tuple(fact.category)),
        *(fact.encounter, fact.verification_status),
    ),
    "medication": lambda fact: (fact.start, _code(fact), fact.kind, fact.intent, fact.status, fact.dose),
}
"""What makes two records of a type the same; the moment, without which nothing is the same, first."""


def _code(fact: Fact) -> object:
    return fact.code or _codes(fact.codings)


def _codes(codings: Any) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((each.system or "", each.code) for each in codings))


class _Told(Hashes):
    """What was told already, as hashes → the resource that told it first."""


def _look(person: Person, _: About) -> Iterator[Seen]:
    told = person.kept(_Told)
    for fact in person.facts:
        if (key_of := _KEYS.get(fact.type)) is None:
            continue
        key = key_of(fact)
        if key[0] is None:
            continue
        source = hash(fact.source)
        first = told.first(hash((fact.type, *key)), source)
        yield Seen(fact.type, None if first == source else fact.id)


CHECK = Check(
    kind="plausibility",
    what="records that say what another resource of the same person says of the same moment",
    tolerated=SLIP,
    source=SLIP_SOURCE,
    fix="Find the second road: a history conversion beside the live feed, two interfaces, merged charts; deliver one of them.",
    who="site IT",
    alone=True,
    begin=each(_look),
)
