"""Leaving a registry's centre for another, or for adult care: at what age."""

from collections.abc import Iterator

from transforms.derive import Derived, Value
from transforms.derive.history import History, day_of

_LEFT = frozenset({"transferred", "transitioned"})


def _left(history: History) -> Iterator[Derived]:
    for fact in history.of("enrolment"):
        day = day_of(fact.end_date)
        years = history.years(day) if day is not None else None
        if fact.status in _LEFT and years is not None and history.person is not None:
            yield Derived(fact, years, (history.person, fact), fact.status, fact.end_date)


VALUES = (
    Value(
        name="age-at-transition",
        quantity="age at transfer or transition",
        unit="a",
        needs=frozenset({"person", "enrolment"}),
        window="each enrolment that ended so",
        method="age in days ÷ 365.25 on the day the enrolment ended",
        sources=("the enrolments themselves",),
        derive=_left,
    ),
)
