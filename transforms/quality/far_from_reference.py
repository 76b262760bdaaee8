"""A site whose children as a whole are far from what children weigh and measure: it sends another unit from the beginning."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from math import exp, floor, log
from statistics import median
from typing import NamedTuple

from transforms.quality import NOTHING, About, Check, Found, Line
from transforms.quality.facts import Person
from transforms.quality.facts.numbers import Reading
from transforms.quality.facts.profile import Profile
from transforms.quality.kinds.growth import HEIGHT, WEIGHT
from transforms.quality.kinds.tables import rows

_LEAST = 20
"""Children of whom the median says something."""
_STEP = 0.02
"""Width of a class of ratios, as logarithm."""


class _Measure(NamedTuple):
    codes: frozenset[str]
    unit: str
    low: float
    high: float


_MEASURES = {"height": _Measure(HEIGHT, "cm", 0.8, 1.2), "weight": _Measure(WEIGHT, "kg", 0.55, 1.9)}
"""Between which a clinic's median child lies, as a part of the reference's median: no clinic of the obese reaches 1.9."""


@cache
def _medians() -> list[tuple[float, float, dict[str, float]]]:
    return [
        (float(row["from_months"]), float(row["to_months"]), {name: float(row[name]) for name in _MEASURES})
        for row in rows("medians")
    ]


class _Far:
    def __init__(self, _: About) -> None:
        self._classes: dict[str, Counter[int]] = {name: Counter() for name in _MEASURES}

    def see(self, person: Person) -> Sequence[Found]:
        """Counts each child once, by the middle of what it is of the reference."""
        for name, measure in _MEASURES.items():
            ratios = [
                ratio for each in person.readings(measure.codes, measure.unit) if (ratio := _of(person, each, name))
            ]
            if ratios:
                self._classes[name][floor(log(median(ratios)) / _STEP)] += 1
        return NOTHING

    def lines(self, profile: Profile) -> Iterator[Line]:
        """By measure; one site is one thing that is looked at."""
        for name, classes in self._classes.items():
            if classes.total() < _LEAST:
                yield Line(name, 0, 0, said=f"fewer than {_LEAST} children")
                continue
            ratio = exp((median(classes.elements()) + 0.5) * _STEP)
            wrong = not _MEASURES[name].low <= ratio <= _MEASURES[name].high
            yield Line(name, 1, int(wrong), said=f"the median child is at {ratio:.2f} of the reference's median")


def _of(person: Person, reading: Reading, name: str) -> float | None:
    months = person.months(reading.day)
    if months is None or reading.value <= 0:
        return None
    usual = next((medians[name] for low, high, medians in _medians() if low <= months < high), None)
    return None if usual is None else reading.value / usual


CHECK = Check(
    kind="plausibility",
    what="heights and weights of a site that as a whole are far from the reference of the children's ages",
    tolerated=0,
    source="tables/medians.csv (WHO 2006, CDC 2000); judgement, to be approved: the median child within 0.8 to 1.2 of the reference's height, 0.55 to 1.9 of its weight",
    fix="Compare some with the chart: pounds or grams sent as kilograms, inches as centimetres; correct the feed's unit, then load all again.",
    who="site IT",
    reads=HEIGHT | WEIGHT,
    begin=_Far,
)
