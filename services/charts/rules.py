"""The rules of statistical process control: which patterns of points are unlikely to be chance. The set "control" of measures.md."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from services.charts.limits import Point

SHIFT, TREND, INNER = 8, 6, 15


class Rule(StrEnum):
    """What makes a pattern unlikely to be chance."""

    BEYOND_LIMITS = "beyond limits"
    SHIFT = "shift"
    TREND = "trend"
    OUTER_THIRD = "outer third"
    INNER_THIRD = "inner third"


@dataclass(frozen=True, slots=True)
class Signal:
    """A pattern over the points `first` to `last`; `up`: it is towards higher values (none for the inner third)."""

    rule: Rule
    first: int
    last: int
    up: bool | None


def find_signals(points: Sequence[Point], centre: float) -> Iterator[Signal]:
    """Every signal, by rule and then by time. Runs are as long as they last."""
    values = [point.value for point in points]
    for at, point in enumerate(points):
        if point.value > point.upper or point.value < point.lower:
            yield Signal(Rule.BEYOND_LIMITS, at, at, point.value > point.upper)
    yield from _shifts(values, centre)
    yield from _trends(values)
    yield from _outer_thirds(points)
    yield from _inner_thirds(points)


def _shifts(values: Sequence[float], centre: float) -> Iterator[Signal]:
    """Eight or more on one side; a point on the centre line neither counts nor breaks the run."""
    off_centre = [at for at, value in enumerate(values) if value != centre]
    for run in _runs(off_centre, lambda before, at: (values[before] > centre) == (values[at] > centre)):
        if len(run) >= SHIFT:
            yield Signal(Rule.SHIFT, run[0], run[-1], values[run[0]] > centre)


def _trends(values: Sequence[float]) -> Iterator[Signal]:
    """Six or more, each higher than the one before or each lower; a point equal to the one before is skipped."""
    changing = [at for at, value in enumerate(values) if at == 0 or value != values[at - 1]]
    run = changing[:1]
    for before, at in pairwise(changing):
        rising = values[at] > values[before]
        if len(run) > 1 and rising != (values[run[1]] > values[run[0]]):
            yield from _trend(run, values)
            run = [before]
        run.append(at)
    yield from _trend(run, values)


def _trend(run: Sequence[int], values: Sequence[float]) -> Iterator[Signal]:
    if len(run) >= TREND:
        yield Signal(Rule.TREND, run[0], run[-1], values[run[1]] > values[run[0]])


def _outer_thirds(points: Sequence[Point]) -> Iterator[Signal]:
    """Two of three in succession more than two standard errors from the centre, on the same side."""
    for up in (True, False):
        outer = [at for at, point in enumerate(points) if point.z is not None and (point.z > 2 if up else point.z < -2)]
        for run in _runs(outer, lambda before, at: at - before <= 2):
            if len(run) > 1:
                yield Signal(Rule.OUTER_THIRD, run[0], run[-1], up)


def _inner_thirds(points: Sequence[Point]) -> Iterator[Signal]:
    """Fifteen or more in succession within one standard error of the centre."""
    inner = [at for at, point in enumerate(points) if point.z is not None and abs(point.z) < 1]
    for run in _runs(inner, lambda before, at: at - before == 1):
        if len(run) >= INNER:
            yield Signal(Rule.INNER_THIRD, run[0], run[-1], None)


def _runs(places: Sequence[int], joined: Callable[[int, int], bool]) -> Iterator[list[int]]:
    """The places cut where two neighbours are not joined."""
    run: list[int] = []
    for at in places:
        if run and not joined(run[-1], at):
            yield run
            run = []
        run.append(at)
    if run:
        yield run
