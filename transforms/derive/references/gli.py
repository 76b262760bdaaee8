"""Lung function by the Global Lung Function Initiative: GLI-2012 by ethnic group, GLI Global 2022 without it.

Median, spread and skewness are equations in age, height and group plus splines published by quarter of a year, between
which they are linear (Quanjer 2012, online supplement, section 4); ages 3 to 95. The lower limit of normal is the 5th
percentile as GLI publishes it, at z = −1.645.
"""

import math
from functools import cache
from typing import Literal, NamedTuple

from transforms.derive.references.growth import Sex, Ungiven
from transforms.derive.references.lms import LMS, curves, table

Lungs = Literal["fev1", "fvc", "fev1fvc"]
YEARS = (3.0, 95.0)
LLN_Z = -1.645
GROUPS = ("caucasian", "african-american", "ne-asian", "se-asian", "other")
"""GLI-2012's ethnic groups; the first is the one its equations start from."""


class Predicted(NamedTuple):
    """What is expected at an age and height: litres, or the ratio as a fraction."""

    lms: LMS

    @property
    def predicted(self) -> float:
        """The median."""
        return self.lms.m

    @property
    def lln(self) -> float:
        """The lower limit of normal."""
        return self.lms.value(LLN_Z)

    def percent(self, value: float) -> float:
        """Per cent of predicted."""
        return 100 * value / self.lms.m

    def z(self, value: float) -> float:
        """The z-score."""
        return self.lms.z(value)


def gli_2012(measure: Lungs, sex: Sex, years: float, height: float, group: str) -> Predicted | Ungiven:
    """Height in cm, one of GROUPS."""
    if group not in GROUPS:
        return Ungiven(f"ethnicity is none of GLI-2012's: {', '.join(GROUPS)}")
    return _predicted(2012, measure, sex, years, height, GROUPS.index(group))


def gli_2022(measure: Lungs, sex: Sex, years: float, height: float) -> Predicted | Ungiven:
    """Height in cm; whoever it is."""
    return _predicted(2022, measure, sex, years, height, 0)


def _predicted(edition: int, measure: Lungs, sex: Sex, years: float, height: float, group: int) -> Predicted | Ungiven:
    if not YEARS[0] <= years <= YEARS[1]:
        return Ungiven(f"age outside GLI's, {YEARS[0]:g} to {YEARS[1]:g} years")
    given = _coefficients(edition)[measure, sex]
    spline = curves(f"gli_{edition}_splines.csv")[measure, sex].at(years)
    age = math.log(years)
    median = given["a0"] + given["a1"] * math.log(height) + given["a2"] * age + spline.m
    spread = given["p0"] + given["p1"] * age + spline.s
    if group:
        median += given[f"a{group + 2}"]
        spread += given[f"p{group + 1}"]
    return Predicted(LMS(given["q0"] + given["q1"] * age + spline.l, math.exp(median), math.exp(spread)))


@cache
def _coefficients(edition: int) -> dict[tuple[str, str], dict[str, float]]:
    named = ("measure", "sex")
    return {
        (row["measure"], row["sex"]): {name: float(text) for name, text in row.items() if name not in named}
        for row in table(f"gli_{edition}_coefficients.csv")
    }
