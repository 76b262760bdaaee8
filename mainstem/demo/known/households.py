"""Where a clinic's children live and who pays for their care: of each child the same at every call, and apart from all other chance."""

from dataclasses import dataclass
from math import cos, pi, radians, sin
from random import Random
from typing import TypeVar

from mainstem.demo.known.children import Child
from mainstem.demo.known.truth import Known, KnownSite

T = TypeVar("T")
OTHERS = (("5", 0.64), ("6", 0.2), ("3", 0.09), ("8", 0.07))
"""Groups of the Source of Payment Typology, and their shares among those for whom Medicaid does not pay."""
MILES = (((1, 9), 0.34), ((11, 24), 0.28), ((27, 48), 0.19), ((53, 97), 0.12), ((105, 200), 0.07))
"""How far from the clinic children live: from and to, and the share of them. It has to do with nothing else."""
UNTOLD = 0.05
"""The share of children of whom no coverage is known, or no home."""
SECOND = 0.08
"""The share who have a second insurance, which pays what the first leaves."""
MILES_OF_A_DEGREE = 69.1


@dataclass(frozen=True, slots=True)
class Household:
    """What is known of a child's home; None and nothing where it is not told."""

    payers: tuple[str, ...]
    """Who pays, the first first."""
    home: tuple[float, float] | None
    """Degrees north and east."""
    miles: float | None


def household(known: Known, site: KnownSite, child: Child) -> Household:
    """Of one child; nothing at a site that reads neither."""
    if site.place is None:
        return Household((), None, None)
    chance = Random(f"{known.seed}/{site.id}/{child.id}/household")
    payers = _payers(chance, known, child)
    (least, most), turn = _chosen(chance, MILES), chance.random() * 2 * pi
    miles = least + (most - least) * chance.random()
    if chance.random() < UNTOLD:
        return Household(payers, None, None)
    north, east = site.place
    up, right = miles / MILES_OF_A_DEGREE * cos(turn), miles / MILES_OF_A_DEGREE * sin(turn) / cos(radians(north))
    return Household(payers, (round(north + up, 4), round(east + right, 4)), miles)


def _payers(chance: Random, known: Known, child: Child) -> tuple[str, ...]:
    gap = known.gap
    first = gap.payer if chance.random() < (gap.lower if child.level < 0.5 else gap.upper) else _chosen(chance, OTHERS)
    untold, second = chance.random() < UNTOLD, chance.random() < SECOND
    if untold:
        return ()
    return (first, "6" if first == "5" else "5") if second else (first,)


def _chosen(chance: Random, shares: tuple[tuple[T, float], ...]) -> T:
    return chance.choices([each for each, _ in shares], [share for _, share in shares])[0]
