"""Series in which nothing happens: counts that vary as chance has it and never so that a rule could take them for a signal.

Noise is drawn without replacement from the normal scores of twelve months, so that each year's mean is the true share, and
drawn again where it falls into a pattern by chance: of many charts with five rules each some would show one.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt
from random import Random
from statistics import NormalDist

LONGEST = 5
"""Points in a row on one side, or going one way, at most."""
FURTHEST = 1.9
"""Standard errors from the share, at most."""
CALM = 9
"""Points in a row within one standard error, at most."""
TRIES = 20_000


def quiet_counts(chance: Random, sizes: Sequence[int], shares: Sequence[float], *, before: int = 0) -> list[int]:
    """How many of each month's children reach it. `sizes` and `shares`: by month; `before`: months before the first January."""
    counts: list[int] = []
    while len(counts) < len(sizes):
        counts += _year(chance, sizes, shares, counts, _end(len(counts), len(sizes), before))
    return counts


def quiet_noise(chance: Random, months: int, *, before: int = 0) -> list[float]:
    """The same as standard errors from the level."""
    noise: list[float] = []
    while len(noise) < months:
        for _ in range(TRIES):
            drawn = _scores(chance, _end(len(noise), months, before) - len(noise))
            if _quiet(noise[-_BEFORE:] + drawn):
                noise += drawn
                break
    return noise


def _end(first: int, months: int, before: int) -> int:
    """Where the calendar year ends that begins, or is under way, in a month."""
    return min(before if first < before else first + 12, months)


_BEFORE = 14


def _year(chance: Random, sizes: Sequence[int], shares: Sequence[float], before: Sequence[int], last: int) -> list[int]:
    first = len(before)
    start = max(0, first - _BEFORE)
    for _ in range(TRIES):
        noise = _scores(chance, last - first)
        drawn = [_count(n, p, z) for n, p, z in zip(sizes[first:last], shares[first:last], noise, strict=True)]
        counts = [*before[start:], *drawn]
        far = [_distance(y, n, p) for y, n, p in zip(counts, sizes[start:last], shares[start:last], strict=True)]
        apart = all(_turns(far[at - start], shares[at : at + 2]) for at in range(first, last))
        if apart and _quiet(far) and abs(sum(far[first - start :])) < 1:
            return drawn
    raise AssertionError("no quiet series was found for these sizes")


def _turns(far: float, shares: Sequence[float]) -> bool:
    """Whether the last month of a level lies away from the next one: so a shift begins with its month, and not before."""
    return len(shares) < 2 or shares[0] == shares[1] or (far < 0) == (shares[1] > shares[0])


def _scores(chance: Random, months: int) -> list[float]:
    scores = [NormalDist().inv_cdf((place + 0.625) / (months + 0.25)) for place in range(months)]
    chance.shuffle(scores)
    return scores


def _count(n: int, p: float, z: float) -> int:
    """The nearest count to z standard errors that is not too far out."""
    count = min(n, max(0, round(n * p + z * sqrt(n * p * (1 - p)))))
    while abs(far := _distance(count, n, p)) >= FURTHEST:
        count += 1 if far < 0 else -1
    return count


def _distance(y: int, n: int, p: float) -> float:
    return (y / n - p) / sqrt(p * (1 - p) / n)


def _quiet(far: Sequence[float]) -> bool:
    """Whether no pattern stands in it."""
    sides = _longest([each > 0 for each in far])
    ways = _longest([after > before for before, after in pairwise(far) if after != before])
    calm = _longest([abs(each) < 1 for each in far], of=True)
    outer = any(
        abs(one) > 1.5 and abs(other) > 1.5 for place, one in enumerate(far) for other in far[place + 1 : place + 3]
    )
    return sides <= LONGEST and ways < LONGEST and calm <= CALM and not outer and max(map(abs, far)) < FURTHEST


def _longest(marks: Sequence[bool], *, of: bool | None = None) -> int:
    """The longest stretch of equal marks, or of marks that are `of`."""
    longest = run = 0
    before: bool | None = None
    for mark in marks:
        run = run + 1 if mark == before else 1
        before = mark
        if of is None or mark == of:
            longest = max(longest, run)
    return longest
