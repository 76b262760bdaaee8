"""How far a site lies from its peers, by statistics that a site at fault among them cannot move.

A site is compared with the median of the others. What one spread is adds up from three: how far the others lie apart (their
median absolute deviation), how far sites lie apart by right (a check says so), and by how much chance alone moves a site of
its size. Far is more than 3.5 spreads (Iglewicz B, Hoaglin DC. How to Detect and Handle Outliers. ASQC Quality Press 1993).
"""

from collections.abc import Sequence
from math import asin, sqrt
from statistics import median
from typing import NamedTuple

FAR = 3.5
PEERS = 4
"""Fewer others do not tell what is usual."""
_TO_SD = 1.4826
"""Makes a median absolute deviation a standard deviation, where there are many."""
_OF_FEW = {2: 1.196, 3: 1.495, 4: 1.363, 5: 1.206, 6: 1.200, 7: 1.140, 8: 1.129, 9: 1.107}
"""What it is too small by where there are few: Croux C, Rousseeuw PJ. Computational Statistics 1992;1:411-28."""


class Figure(NamedTuple):
    """What one site has of something that sites are compared in."""

    of: str
    thing: str
    """The record type or code: two checks that find the same fault name the same thing."""
    site: str
    looked: int
    value: float
    """On a scale on which differences of the same size mean the same."""
    error: float
    """How far chance alone moves it: one standard deviation."""
    shown: float
    """The figure as people read it."""
    unit: str = ""
    said: str = ""


class Compared(NamedTuple):
    """One figure of one site beside those of the others."""

    of: str
    thing: str
    site: str
    looked: int
    shown: float
    peers: float | None
    """The others' median."""
    others: int
    """How many others have enough to be compared with."""
    z: float | None
    """Spreads from the others' median; none where nothing can be compared."""
    unit: str = ""
    said: str = ""

    @property
    def far(self) -> bool:
        """Whether somebody should ask why."""
        return self.z is not None and abs(self.z) > FAR


def compared(figures: Sequence[Figure], tolerated: float, least: int) -> list[Compared]:
    """The figures of one thing, one of each site."""
    told = [each for each in figures if each.looked >= least]
    return [_beside(each, [other for other in told if other.site != each.site], tolerated, least) for each in figures]


def _beside(own: Figure, others: Sequence[Figure], tolerated: float, least: int) -> Compared:
    z = peers = None
    if len(others) >= PEERS and own.looked >= least:
        values = [each.value for each in others]
        spread = sqrt(deviation(values) ** 2 + tolerated**2 + own.error**2)
        z, peers = (own.value - median(values)) / spread, median(each.shown for each in others)
    return Compared(own.of, own.thing, own.site, own.looked, own.shown, peers, len(others), z, own.unit, own.said)


def deviation(values: Sequence[float]) -> float:
    """The standard deviation of what lies usually, by the median absolute deviation, corrected where there are few."""
    centre, count = median(values), len(values)
    factor = _OF_FEW.get(count) or count / (count - 0.8)
    return _TO_SD * factor * median(abs(each - centre) for each in values)


def share(of: str, thing: str, site: str, found: int, looked: int, said: str = "") -> Figure:
    """A share, on the scale of angles: there chance moves all shares alike, those near none and all among them."""
    part = min(found / looked, 1.0) if looked else 0.0
    error = 0.5 / sqrt(looked) if looked else 1.0
    return Figure(of, thing, site, looked, asin(sqrt(part)), error, 100 * part, "%", said)
