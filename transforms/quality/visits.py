"""Visits at which nothing was recorded."""

from collections.abc import Iterator

from transforms.quality import About, Check
from transforms.quality.facts import PLANNED, Fact, Person
from transforms.quality.kinds.each import Seen, each

_FACTS = frozenset(
    [
        "condition",
        "disease_assessment",
        "immunization",
        "medication",
        "observation",
        "pro_response",
        "procedure",
        "service_request",
    ]
)
_SEEN = frozenset(["AMB", "EMER", "IMP", "ACUTE", "NONAC"])
"""Classes of visits at which somebody was seen."""


class _Recorded:
    """Of one person: which visits facts name, the days that facts are of, and the visits that neither tells so far."""

    def __init__(self) -> None:
        self.named, self.days = set[str](), set[int]()
        self.silent: list[Fact] = []

    def add(self, fact: Fact) -> None:
        """A fact that tells that somebody was seen."""
        if fact.encounter:
            self.named.add(fact.encounter)
        if fact.day is not None:
            self.days.add(fact.day)

    def tells(self, visit: Fact) -> bool:
        """Whether a fact names a visit, or is of its day."""
        return visit.id in self.named or visit.day in self.days


def _look(person: Person, _: About) -> Iterator[Seen]:
    recorded = person.kept(_Recorded)
    for fact in person.facts:
        if fact.type in _FACTS:
            recorded.add(fact)
    seen = (each for each in person.of("encounter") if each.class_code in _SEEN and each.status not in PLANNED)
    visits, recorded.silent = [*recorded.silent, *seen], []
    for visit in visits:
        told = recorded.tells(visit)
        if told or person.last:
            yield Seen(visit.class_code or "", None if told else visit.id)
        else:
            recorded.silent.append(visit)


CHECK = Check(
    kind="completeness",
    what="visits that no fact names and on whose day there is none",
    tolerated=0.25,
    least=20,
    source="judgement, to be approved: one visit in four; PCORnet's data check 3.01 asks for one diagnosis a visit on average",
    fix="See which types are delivered for these visits' clinics: results or diagnoses of one department are left out.",
    who="site IT",
    begin=each(_look),
)
