"""Numbers of a code that jump from one month on: another unit, another assay, another field."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from math import floor, log2
from typing import NamedTuple

from transforms.quality import NOTHING, About, Check, Found, Line
from transforms.quality.facts import Person
from transforms.quality.facts.profile import Profile, month_of, named

_STEPS = 16
"""Classes in which a number doubles."""
_CODES = 2_000
_WINDOW = 6
"""Months on either side that are compared."""
_LEAST = 20
"""Numbers on either side."""
_RATIO = 1.5
_FACTORS = {
    "pounds and kilograms": 2.20462,
    "inches and centimetres": 2.54,
    "mmol/L and mg/dL of glucose": 18.016,
    "µmol/L and mg/dL of creatinine": 88.42,
    "mmol/L and mg/dL of cholesterol": 38.67,
    "a tenth": 10.0,
    "a hundredth": 100.0,
    "a thousandth": 1000.0,
}
Classes = Counter[int]


class _Switches:
    def __init__(self, about: About) -> None:
        self._this = month_of(about.today.toordinal())
        self._counted: dict[tuple[str, str], dict[int, Classes]] = defaultdict(lambda: defaultdict(Counter))

    def see(self, person: Person) -> Sequence[Found]:
        """Counts each number by code, unit, month and class."""
        for fact in person.of("observation"):
            if not fact.code or fact.value is None or fact.value <= 0 or fact.day is None or fact.comparator:
                continue
            key = fact.code, fact.unit or ""
            if key in self._counted or len(self._counted) < _CODES:
                self._counted[key][month_of(fact.day)][floor(log2(fact.value) * _STEPS)] += 1
        return NOTHING

    def lines(self, profile: Profile) -> Iterator[Line]:
        """By code: months from which on the middle half of the numbers lies wholly apart from that before."""
        for (code, unit), months in sorted(self._counted.items()):
            splits = [_Split(month, *_around(months, month)) for month in sorted(months)[1:]]
            enough = [each for each in splits if min(each.before.total(), each.after.total()) >= _LEAST]
            jumps = list(_jumps(enough))
            said = "; ".join(f"from {named(month)} × {ratio:.2g}{_factor(ratio)}" for month, ratio in jumps)
            yield Line(f"{code} {unit}".strip(), len(enough), len(jumps), said=said)


class _Split(NamedTuple):
    """The numbers before a month, and from it on."""

    month: int
    before: Classes
    after: Classes

    @property
    def astray(self) -> int:
        """How many lie nearer to the others' median: fewest where it is the month of the change."""
        (_, old, _), (_, new, _) = _quartiles(self.before), _quartiles(self.after)
        middle, up = (old + new) / 2, new > old
        before = (count for each, count in self.before.items() if (each > middle) == up)
        return sum(before) + sum(count for each, count in self.after.items() if (each < middle) == up)


def _jumps(splits: Iterable[_Split]) -> Iterator[tuple[int, float]]:
    """The month and ratio of each change: of splits near one another that tell of the same, the cleanest."""
    near: list[tuple[_Split, float]] = []
    for split in splits:
        if (ratio := _ratio(split.before, split.after)) is None:
            continue
        if near and (split.month - near[0][0].month > _WINDOW or (ratio > 1) != (near[0][1] > 1)):
            yield _cleanest(near)
            near = []
        near.append((split, ratio))
    if near:
        yield _cleanest(near)


def _cleanest(near: Iterable[tuple[_Split, float]]) -> tuple[int, float]:
    split, ratio = min(near, key=lambda each: each[0].astray)
    return split.month, ratio


def _around(months: dict[int, Classes], month: int) -> tuple[Classes, Classes]:
    """The numbers of the months before, and of this one and the next."""
    before, after = Classes(), Classes()
    for other in range(month - _WINDOW, month):
        before.update(months.get(other, ()))
    for other in range(month, month + _WINDOW):
        after.update(months.get(other, ()))
    return before, after


def _ratio(before: Classes, after: Classes) -> float | None:
    """How many times the median is what it was, where the middle halves do not meet; None where they do."""
    (low, middle, high), (low_after, middle_after, high_after) = _quartiles(before), _quartiles(after)
    if low_after <= high and low <= high_after:
        return None
    ratio = 2.0 ** ((middle_after - middle) / _STEPS)
    return ratio if max(ratio, 1 / ratio) >= _RATIO else None


def _quartiles(classes: Classes) -> tuple[int, int, int]:
    ordered, total = sorted(classes.items()), classes.total()
    found: list[int] = []
    upto = 0
    for each, count in ordered:
        upto += count
        while len(found) < 3 and upto >= total * (len(found) + 1) / 4:
            found.append(each)
    return found[0], found[1], found[2]


def _factor(ratio: float) -> str:
    """The units that lie so far apart."""
    far = max(ratio, 1 / ratio)
    name = next((name for name, factor in _FACTORS.items() if factor / 1.1 <= far <= factor * 1.1), None)
    return f" ({name}?)" if name else ""


CHECK = Check(
    kind="plausibility",
    what="codes whose numbers are others from one month on",
    tolerated=0,
    source="judgement, to be approved: the middle halves of the numbers of half a year before and after do not meet, 20 numbers or more on either side, "
    "and the median is 1.5 times the other",
    fix="Ask the laboratory or clinic what changed in that month; have it send its unit, and load again what came since.",
    who="site IT",
    begin=_Switches,
)
