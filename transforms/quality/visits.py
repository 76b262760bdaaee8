"""Visits at which nothing was recorded."""

from collections.abc import Iterator

from transforms.quality import About, Check
from transforms.quality.facts import PLANNED, Person
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


def _look(person: Person, _: About) -> Iterator[Seen]:
    facts = [fact for fact in person.facts if fact.type in _FACTS]
    named, days = {fact.encounter for fact in facts}, {fact.day for fact in facts}
    for visit in person.of("encounter"):
        if visit.class_code in _SEEN and visit.status not in PLANNED:
            told = visit.id in named or (visit.day is not None and visit.day in days)
            yield Seen(visit.class_code or "", None if told else visit.id)


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
