"""How far from its site a patient lives: a band of miles, reckoned here from coordinates that go no further."""

import math
import re
from itertools import pairwise

from schemas.outcomes.people import BANDS
from transforms.fhir.elements import Scalar, text_of

_EDGES = (0, 10, 25, 50, 100, math.inf)
_EARTH_MILES = 3958.76
"""The mean radius, 6371.009 km (IUGG)."""
_DEGREES = re.compile(r"[-+]?[0-9]{1,3}(\.[0-9]{1,20})?")
Position = tuple[float, float]
"""Degrees north, degrees east (WGS 84)."""


def position_of(latitude: Scalar, longitude: Scalar) -> Position | None:
    """None for what is no place on earth; nor is 0, 0, which stands for none."""
    said = [text_of(each) for each in (latitude, longitude)]
    if not all(_DEGREES.fullmatch(each) for each in said):
        return None
    north, east = map(float, said)
    return (north, east) if abs(north) <= 90 and abs(east) <= 180 and (north or east) else None


def band_between(here: Position, there: Position) -> str:
    """The band of the great circle's length."""
    miles = _miles(here, there)
    return next(band for band, (low, high) in zip(BANDS, pairwise(_EDGES), strict=True) if low <= miles < high)


def _miles(here: Position, there: Position) -> float:
    """By the haversine formula, which is exact for near places too."""
    (north, east), (north_there, east_there) = (tuple(map(math.radians, each)) for each in (here, there))
    half = math.sin((north_there - north) / 2) ** 2
    half += math.cos(north) * math.cos(north_there) * math.sin((east_there - east) / 2) ** 2
    return 2 * _EARTH_MILES * math.asin(min(1.0, math.sqrt(half)))
