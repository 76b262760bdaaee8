"""Patterns of points that chance seldom makes; a rule set chooses among them and says how long they must be.

A missing value is passed over: the points there are follow each other.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.charts.point import Point


class Rule(StrEnum):
    """What a pattern is called."""

    ONE_BEYOND_3_SIGMA = "one_beyond_3_sigma"
    EIGHT_ONE_SIDE = "eight_one_side"
    SEVEN_ONE_SIDE = "seven_one_side"
    SIX_RISING_OR_FALLING = "six_rising_or_falling"
    SEVEN_RISING_OR_FALLING = "seven_rising_or_falling"
    TWO_OF_THREE_OUTER_THIRD = "two_of_three_outer_third"
    TWO_OF_THREE_BEYOND_2_SIGMA = "two_of_three_beyond_2_sigma"
    FIFTEEN_INNER_THIRD = "fifteen_inner_third"


@dataclass(frozen=True, slots=True)
class Signal:
    """A pattern: the places of the points that take part in it, and whether it is towards higher values."""

    rule: Rule
    places: tuple[int, ...]
    up: bool | None
    """None: towards neither."""

    @property
    def first(self) -> int:
        """Place of its first point."""
        return self.places[0]

    @property
    def last(self) -> int:
        """Place of its last point."""
        return self.places[-1]


def beyond(points: Sequence[Point], rule: Rule) -> Iterator[Signal]:
    """Each point beyond a limit."""
    for at, point in enumerate(points):
        if point.beyond:
            yield Signal(rule, (at,), point.beyond > 0)


def shifts(points: Sequence[Point], rule: Rule, length: int) -> Iterator[Signal]:
    """So many or more on one side; a point on the centre neither counts nor breaks the run."""
    off_centre = [at for at, point in enumerate(points) if point.side]
    for run in _runs(off_centre, lambda a, b: points[a].side == points[b].side):
        if len(run) >= length:
            yield Signal(rule, tuple(run), points[run[0]].side > 0)


def trends(points: Sequence[Point], rule: Rule, length: int) -> Iterator[Signal]:
    """So many or more, each higher than the one before or each lower; a point tied with the one before is passed over."""
    run: list[int] = []
    way = 0
    for at in _present(points):
        step = points[at].compare(points[run[-1]]) if run else 0
        if run and not step:
            continue
        if way and step != way:
            yield from _trend(run, rule, length, way)
            run = run[-1:]
        run, way = [*run, at], step
    yield from _trend(run, rule, length, way)


def _trend(run: Sequence[int], rule: Rule, length: int, way: int) -> Iterator[Signal]:
    if len(run) >= length:
        yield Signal(rule, tuple(run), way > 0)


def two_of_three(points: Sequence[Point], rule: Rule, *, all_on_one_side: bool) -> Iterator[Signal]:
    """Two or three of three that follow each other more than 2 sigma from the centre on one side; those two or three take part.

    `all_on_one_side`: the third must be on that side of the centre too.
    """
    places = _present(points)
    for way in (1, -1):
        found: list[int] = []
        for three in zip(places, places[1:], places[2:], strict=False):
            outer = [at for at in three if points[at].further(2) == way]
            if len(outer) < 2 or (all_on_one_side and any(points[at].side != way for at in three)):
                continue
            if found and outer[0] > found[-1]:
                yield Signal(rule, tuple(found), way > 0)
                found = []
            found += [at for at in outer if at not in found]
        if found:
            yield Signal(rule, tuple(found), way > 0)


def inner(points: Sequence[Point], rule: Rule, length: int) -> Iterator[Signal]:
    """So many or more that follow each other less than 1 sigma from the centre."""
    order = {at: place for place, at in enumerate(_present(points))}
    near = [at for at in order if points[at].nearer(1)]
    for run in _runs(near, lambda a, b: order[b] - order[a] == 1):
        if len(run) >= length:
            yield Signal(rule, tuple(run), None)


def _present(points: Iterable[Point]) -> list[int]:
    return [at for at, point in enumerate(points) if point.value is not None]


def _runs(places: Iterable[int], joined: Callable[[int, int], bool]) -> Iterator[list[int]]:
    """The places cut where two neighbours are not joined."""
    run: list[int] = []
    for at in places:
        if run and not joined(run[-1], at):
            yield run
            run = []
        run.append(at)
    if run:
        yield run
