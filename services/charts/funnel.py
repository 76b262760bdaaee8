"""Sites beside each other: how far each is from the centre, and how far chance alone takes a site of its size.

Spiegelhalter, Funnel plots for comparing institutional performance, Statistics in Medicine 24 (2005) 1185–1202, and
Spiegelhalter et al., Statistical methods for healthcare regulation, JRSS A 175 (2012) 1–47. z is in standard errors of chance
alone. Overdispersion is additive: τ² by DerSimonian and Laird from z Winsorised at both ends. Where there is none, limits are
exact: the smallest counts whose cumulative probability reaches that of −3, −2, 2 and 3 sigma. A site on a limit is within it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import erfc, exp, floor, inf, lgamma, log, sqrt
from statistics import fmean

from services.charts.point import Point

WINSORISED = 0.1
"""Share of the sites at each end whose z is drawn in to that quantile."""


@dataclass(frozen=True, slots=True)
class Site:
    """One site: y of n, or y where a model of case mix expects so many."""

    name: str
    y: float | None
    n: float | None
    expected: float | None = None


class Flag(StrEnum):
    """How far outside a site stands."""

    ALERT = "alert"
    """Beyond 2 sigma."""
    ALARM = "alarm"
    """Beyond 3 sigma."""


@dataclass(frozen=True, slots=True)
class Place:
    """A site in the funnel; nothing but its value is known where it has no denominator."""

    site: Site
    value: float | None
    z: float | None = None
    lower2: float | None = None
    upper2: float | None = None
    lower3: float | None = None
    upper3: float | None = None
    flag: Flag | None = None


@dataclass(frozen=True, slots=True)
class Funnel:
    """Sites in their order around the centre."""

    centre: float | None
    tau2: float
    """Variance between sites beyond chance; 0: chance explains them."""
    phi: float | None
    """Mean of the Winsorised z²; 1 is chance."""
    places: tuple[Place, ...]
    model: str | None = None
    """By which model of case mix sites are compared: observed ÷ expected."""

    @property
    def conventions(self) -> list[str]:
        """How the numbers are found, for who recomputes them."""
        what = "y/E, centre 1, standard error √(1/E)" if self.model else "y/n, centre Σy/Σn, standard error √(c(1−c)/n)"
        exact = f"exact {'Poisson' if self.model else 'binomial'} limits, as there is no overdispersion"
        spread = "limits centre ± 2 and 3 √(standard error² + τ²), clamped"
        return [
            f"value {what}" + (f"; expected by {self.model}" if self.model else ""),
            "z = (value − centre) / standard error, before overdispersion",
            f"z Winsorised at the {WINSORISED:.0%} and {1 - WINSORISED:.0%} quantiles, linear interpolation; φ = mean of z²",
            "τ² = max(0, (kφ − (k−1)) / (Σw − Σw²/Σw)), w = 1 / standard error², k sites",
            spread if self.tau2 else exact,
            "flag: alert beyond 2 sigma, alarm beyond 3; on a limit is within it",
        ]


def funnel(sites: Sequence[Site], *, model: str | None = None) -> Funnel:
    """The funnel of the sites; with a `model` of their observed over what it expects."""
    sizes = [_size(site, model) for site in sites]
    known = [(site.y, size) for site, size in zip(sites, sizes, strict=True) if site.y is not None and size]
    if not known:
        return Funnel(None, 0.0, None, tuple(Place(site, None) for site in sites), model)
    centre = 1.0 if model else sum(y for y, _ in known) / sum(size for _, size in known)
    unit = centre if model else centre * (1 - centre)
    phi, tau2 = _overdispersion([(y / size - centre, unit / size) for y, size in known]) if unit else (None, 0.0)
    places = tuple(_place(site, size, centre, tau2, model) for site, size in zip(sites, sizes, strict=True))
    return Funnel(centre, tau2, phi, places, model)


def quantile(values: Sequence[float], share: float) -> float:
    """The quantile by linear interpolation between the values in order (Hyndman and Fan's seventh)."""
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def _size(site: Site, model: str | None) -> float | None:
    return site.expected if model else site.n


def _overdispersion(found: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """φ and τ² of distances from the centre with their variances by chance."""
    z = [distance / sqrt(variance) for distance, variance in found]
    low, high = quantile(z, WINSORISED), quantile(z, 1 - WINSORISED)
    phi = fmean(min(max(one, low), high) ** 2 for one in z)
    weights = [1 / variance for _, variance in found]
    total = sum(weights)
    room = total - sum(weight * weight for weight in weights) / total
    excess = len(z) * phi - (len(z) - 1)
    return phi, max(0.0, excess / room) if len(z) > 1 else 0.0


def _place(site: Site, size: float | None, centre: float, tau2: float, model: str | None) -> Place:
    if site.y is None or not size:
        return Place(site, None)
    value, variance = site.y / size, (centre if model else centre * (1 - centre)) / size
    limits = _limits(size, centre, variance, tau2, poisson=bool(model))
    outside = [Point(value, lower=low, upper=high).beyond for low, high in limits]
    flag = Flag.ALARM if outside[1] else Flag.ALERT if outside[0] else None
    (lower2, upper2), (lower3, upper3) = limits
    z = (value - centre) / sqrt(variance) if variance else None
    return Place(site, value, z, lower2, upper2, lower3, upper3, flag)


def _limits(size: float, centre: float, variance: float, tau2: float, *, poisson: bool) -> list[tuple[float, float]]:
    """Lower and upper limit at 2 and at 3 sigma."""
    if not tau2:
        chance = _poisson(size * centre) if poisson else _binomial(size, centre)
        return [(chance(_normal(-sigmas)) / size, chance(_normal(sigmas)) / size) for sigmas in (2, 3)]
    wide = sqrt(variance + tau2)
    top = inf if poisson else 1.0
    return [(max(0.0, centre - sigmas * wide), min(top, centre + sigmas * wide)) for sigmas in (2, 3)]


def _normal(z: float) -> float:
    """Probability of a standard normal value up to z."""
    return erfc(-z / sqrt(2)) / 2


def _binomial(n: float, p: float) -> Callable[[float], int]:
    """The quantiles of a binomial count."""
    if p in (0, 1):
        return lambda _: round(n * p)

    def log_chance(k: int) -> float:
        ways = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
        return ways + k * log(p) + (n - k) * log(1 - p)

    return _discrete(n * p, sqrt(n * p * (1 - p)), log_chance, int(n))


def _poisson(mean: float) -> Callable[[float], int]:
    """The quantiles of a Poisson count."""
    return _discrete(mean, sqrt(mean), lambda k: k * log(mean) - mean - lgamma(k + 1), None)


def _discrete(
    mean: float, spread: float, log_chance: Callable[[int], float], most: int | None
) -> Callable[[float], int]:
    """The smallest count whose cumulative probability reaches one; below where counting starts lies less than 10⁻²⁰."""
    start = max(0, floor(mean - 12 * spread - 40))
    end = floor(mean + 12 * spread + 40) if most is None else most

    def smallest(probability: float) -> int:
        below = 0.0
        for count in range(start, end + 1):
            below += exp(log_chance(count))
            if below >= probability:
                return count
        return end

    return smallest
