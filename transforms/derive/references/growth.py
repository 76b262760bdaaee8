"""Growth: WHO 2006 below 24 months, CDC 2000 from 24 months to 240, CDC's extended BMI of 2022 at and above its P95.

CDC recommends WHO's standards below two years and its own charts from then on (Grummer-Strawn LM et al. MMWR Recomm Rep
2010;59(RR-9):1-15). Between published rows L, M and S are linear in age, as in CDC's programs. WHO's rows are the weeks
to the twelfth and the months; beyond 3 SD its weight and BMI are counted in steps of the outermost SD, as WHO computes
them (Computation of centiles and z-scores, 2007). Below 24 months stature is length, lying.
"""

import math
from functools import lru_cache
from statistics import NormalDist
from typing import Literal, NamedTuple

from transforms.derive.references.lms import LMS, curves, percentile

Measure = Literal["stature", "weight", "bmi", "head"]
Sex = Literal["M", "F"]

CDC_FROM = 24.0
"""Months from which CDC's charts are used."""
_LAST = 240.0
"""Months up to which they are; their BMI table ends half a month later."""
_P95 = NormalDist().inv_cdf(0.95)
_FAR = 3.0
"""SD beyond which WHO's weight and BMI are counted otherwise."""
_SIGMA = {"M": (0.3728, 0.5196, -0.0091), "F": (0.8334, 0.3712, -0.0011)}
"""CDC 2022: sigma of the half-normal distribution above P95, by age in years, its square."""
_HIGHEST = 8.21
"""CDC's programs tell no higher z-score of a BMI above P95."""


class Grown(NamedTuple):
    """Where a measurement stands among children of its age and sex."""

    z: float
    percentile: float
    method: str
    percent_of_p95: float | None = None
    """BMI in percent of the 95th percentile; CDC's ages only."""


class Ungiven(NamedTuple):
    """Why a reference gives nothing."""

    reason: str


@lru_cache(1024)
def grown(measure: Measure, sex: Sex, months: float, value: float) -> Grown | Ungiven:
    """A measurement (cm, kg, kg/m2; above 0) at an age in months, fractions too."""
    table = "who_2006.csv" if months < CDC_FROM else "cdc_2000.csv"
    curve = curves(table)[measure, sex]
    last = min(curve.last, _LAST)
    if not 0 <= months <= last:
        return Ungiven(f"age outside the reference, from birth to {last:g} months")
    row = curve.at(months)
    try:
        if months < CDC_FROM:
            return _by_who(measure, row, value)
        return _bmi(sex, months, row, value) if measure == "bmi" else _by_cdc(row, value)
    except (OverflowError, ValueError):
        return Ungiven(f"{measure} is too far from the reference to be computed")


def _by_who(measure: Measure, row: LMS, value: float) -> Grown:
    z = row.z(value)
    if measure in ("weight", "bmi") and abs(z) > _FAR:
        edge = math.copysign(_FAR, z)
        outermost = row.value(edge)
        z = edge + (value - outermost) / abs(outermost - row.value(math.copysign(_FAR - 1, z)))
    return Grown(z, percentile(z), "who-2006")


def _by_cdc(row: LMS, value: float) -> Grown:
    z = row.z(value)
    return Grown(z, percentile(z), "cdc-2000")


def _bmi(sex: Sex, months: float, row: LMS, value: float) -> Grown:
    """By LMS below P95; from P95 on 90 + 10·Φ((BMI − P95)/σ) (Hales CM et al. Vital Health Stat 2(197), 2022)."""
    p95 = row.value(_P95)
    percent = 100 * value / p95
    if value < p95:
        return _by_cdc(row, value)._replace(percent_of_p95=percent)
    one, years, squared = _SIGMA[sex]
    age = months / 12
    sigma = one + years * age + squared * age * age
    above = 0.05 * math.erfc((value - p95) / sigma / math.sqrt(2))  # the share of children above, exact far out too
    z = min(-NormalDist().inv_cdf(above), _HIGHEST) if above else _HIGHEST
    return Grown(z, 100 * (1 - above), "cdc-2022-extended", percent)
