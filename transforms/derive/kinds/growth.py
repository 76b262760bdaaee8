"""Measurements that stand among children of the same age and sex."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from operator import attrgetter
from typing import NamedTuple

from transforms.derive import Derived, Value
from transforms.derive.history import Fact, History, Readings
from transforms.derive.references.growth import Grown, Measure, grown

HEIGHT = ("8302-2", "8306-3", "3137-7")
"""Body height, lying, measured; none that was estimated or said."""
WEIGHT = ("29463-7", "3141-9")
"""Body weight, measured; none that was said, no birth weight."""
HEAD = ("9843-4", "8287-5")
BMI = ("39156-5",)
SOURCES = (
    "CDC 2000: https://www.cdc.gov/growthcharts/cdc-data-files.htm",
    "WHO 2006 below 24 months: https://www.cdc.gov/growthcharts/who-data-files.htm",
)
EXTENDED = "CDC 2022, BMI at and above P95: https://www.cdc.gov/growthcharts/extended-bmi-data-files.htm"
METHOD = (
    "WHO 2006 below 24 months, CDC 2000 from 24 to 240 months; age in days ÷ 30.4375; L, M, S linear in age between the "
    "published rows"
)


class Measured(NamedTuple):
    """A measurement, measured or computed."""

    day: int
    value: float
    anchor: Fact
    inputs: tuple[Fact, ...]


def measured(codes: Iterable[str], unit: str) -> Callable[[History], Iterator[Measured]]:
    """All readings of some codes above zero."""
    wanted = tuple(codes)

    def read(history: History) -> Iterator[Measured]:
        return (Measured(day, value, fact, (fact,)) for day, value, fact in history.readings(wanted, unit, above=0))

    return read


def placed(
    name: str,
    measure: Measure,
    read: "Read",
    codes: frozenset[str],
    *,
    method: str = METHOD,
    sources: tuple[str, ...] = SOURCES,
) -> tuple[Value, Value]:
    """Z-score and percentile of a measurement."""

    def value(quantity: str, unit: str, tell: Callable[[Grown], float | None]) -> Value:
        return Value(
            name=f"{name}-{quantity.replace('-score', '')}",
            quantity=quantity,
            unit=unit,
            needs=frozenset({"person", "observation"}),
            codes=codes,
            window="each measurement, on its day",
            method=method,
            sources=sources,
            derive=among(measure, read, tell),
        )

    return value("z-score", "{Zscore}", attrgetter("z")), value("percentile", "{percentile}", attrgetter("percentile"))


class Placed(NamedTuple):
    """A measurement among children of the same age and sex."""

    anchor: Fact
    inputs: tuple[Fact, ...]
    """The person's own record and those of the measurement."""
    grown: Grown


Read = Callable[[History], Iterable[Measured]]


def among(
    measure: Measure, read: Read, tell: Callable[[Grown], float | None]
) -> Callable[[History], Iterator[Derived]]:
    """What is told of each measurement among children of its age and sex."""
    place = _placing(measure, read)

    def derive(history: History) -> Iterator[Derived]:
        for anchor, inputs, found in history.once(place):
            if (value := tell(found)) is not None:
                yield Derived(anchor, value, inputs)

    return derive


@cache
def _placing(measure: Measure, read: Read) -> Callable[[History], Iterator[Placed]]:
    def place(history: History) -> Iterator[Placed]:
        if (sex := history.sex) is None or history.born is None or (person := history.person) is None:
            return
        for each in read(history):
            months = history.months(each.day)
            found = None if months is None else grown(measure, sex, months, each.value)
            if isinstance(found, Grown):
                yield Placed(each.anchor, (person, *each.inputs), found)

    return place


def heights(history: History) -> Readings:
    """All heights, by time."""
    return history.readings(HEIGHT, "cm", above=0)
