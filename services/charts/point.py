"""What a chart is made of: subgroups come in, points with their lines go out.

Beyond a line is strictly beyond it. What floating point makes of "on the line" is on the line: a point is on it within a
billionth of a sigma, or within 10⁻¹² of the larger of the two numbers.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Subgroup:
    """What one point is made of; what is not known is None."""

    y: float | None = None
    """A count (of `n`), a measurement, a number or a time between two events."""
    n: float | None = None
    """The denominator: patients, or the room for events (patient days, child-years)."""
    readings: tuple[float, ...] = ()
    """The single readings, where the point is their mean or their spread."""
    spread: float | None = None
    """The standard deviation of the readings, where of these only their number `n`, their mean `y` and it are known."""
    centre: float | None = None
    sigma: float | None = None
    """Centre and sigma from elsewhere, where only the rules are applied."""

    @property
    def known(self) -> bool:
        """Whether it gives a value."""
        return bool(self.readings) or (self.y is not None and self.n != 0)


@dataclass(frozen=True, slots=True)
class Point:
    """A subgroup on the chart: its value, its lines, its distance from the centre in sigmas. None: there is no such value."""

    value: float | None
    n: float | None = None
    centre: float | None = None
    lower: float | None = None
    upper: float | None = None
    sigma: float | None = None
    z: float | None = None

    @property
    def side(self) -> int:
        """1 above the centre, -1 below, 0 on it or unknown."""
        return 0 if self.centre is None else self._beside(self.centre)

    @property
    def beyond(self) -> int:
        """1 above the upper limit, -1 below the lower, 0 within or unknown."""
        if self.upper is not None and self._beside(self.upper) > 0:
            return 1
        return -1 if self.lower is not None and self._beside(self.lower) < 0 else 0

    def further(self, sigmas: float) -> int:
        """1 more than so many sigmas above the centre, -1 below, else 0. Where there is no spread, all beside the centre is."""
        if self.sigma == 0:
            return self.side
        if self.z is None or abs(self.z) <= sigmas + self._noise():
            return 0
        return 1 if self.z > 0 else -1

    def nearer(self, sigmas: float) -> bool:
        """Less than so many sigmas from the centre; on the line is neither nearer nor further."""
        return self.z is not None and abs(self.z) < sigmas - self._noise()

    def compare(self, other: "Point") -> int:
        """1 higher than the other point, -1 lower, 0 tied."""
        return 0 if other.value is None else self._beside(other.value)

    def _beside(self, line: float) -> int:
        if self.value is None:
            return 0
        noise = max(1e-9 * (self.sigma or 0.0), 1e-12 * max(abs(self.value), abs(line)))
        return 0 if abs(self.value - line) <= noise else 1 if self.value > line else -1

    def _noise(self) -> float:
        return max(1e-9, 1e-12 * max(abs(self.value or 0.0), abs(self.centre or 0.0)) / (self.sigma or 1.0))


def around(
    value: float | None,
    n: float | None,
    centre: float | None,
    sigma: float | None,
    *,
    floor: float | None = None,
    ceiling: float | None = None,
) -> Point:
    """A point with limits at centre ± 3 sigma, kept within floor and ceiling."""
    if centre is None or sigma is None:
        return Point(value, n, centre, sigma=sigma)
    lower, upper = centre - 3 * sigma, centre + 3 * sigma
    return Point(
        value,
        n,
        centre,
        lower if floor is None else max(floor, lower),
        upper if ceiling is None else min(ceiling, upper),
        sigma,
        distance(value, centre, sigma),
    )


def distance(value: float | None, centre: float, sigma: float) -> float | None:
    """How many sigmas from the centre; none where there is no spread."""
    return (value - centre) / sigma if value is not None and sigma else None
