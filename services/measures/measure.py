"""What a measure declares. One file a measure in `library/`; `evaluate` counts it, the pages draw it."""

from dataclasses import dataclass
from typing import Literal

NOT_SEEN = ("planned", "cancelled", "entered-in-error")
"""Encounter statuses that are no visit."""
NO_RESULT = ("registered", "cancelled", "entered-in-error", "unknown")
"""Observation statuses that carry no result."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """Of whom: patients with one of the diagnoses, within the ages at the visit."""

    snomed: tuple[str, ...]
    icd10cm: tuple[str, ...]
    """Categories: `E84` is E84 and E84.*"""
    youngest: int
    oldest: int
    """Ages in full years, both included."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is wanted of the last value in the period."""

    loinc: str
    at_least: int
    lowest: int
    highest: int
    """A value outside lowest to highest cannot be: the patient counts as not measured."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A quality measure. Texts are in plain words, for patients and families too."""

    id: str
    version: str
    title: str
    question: str
    people: tuple[str, str]
    """Whom it counts: one, several."""
    achievement: str
    """What is wanted of them, after "had"."""
    denominator: str
    numerator: str
    exclusions: str
    unknown: str
    cohort: Cohort
    target: Target
    chart: Literal["p"]
    higher_is_better: bool
    strata: tuple[str, ...]

    @property
    def slug(self) -> str:
        """Its name in addresses: `cf2`."""
        return self.id.replace("-", "").lower()

    def sentence(self, where: str, when: str, *, measured: int, met: int, unmeasured: int) -> str:
        """The result in plain words."""
        one, several = self.people
        if measured + unmeasured == 0:
            return f"{where}, no {one} was seen in {when}."
        if measured == 0:
            seen = f"the one {one}" if unmeasured == 1 else f"none of the {unmeasured} {several}"
            return f"{where}, {seen} seen in {when} was {'not ' if unmeasured == 1 else ''}measured."
        whom = one if measured == 1 else several
        said = f"{where}, {met} of {measured} {whom} seen and measured in {when} had {self.achievement}"
        if unmeasured == 0:
            return said + "; everyone seen was measured."
        return said + f"; {unmeasured} more {'was' if unmeasured == 1 else 'were'} seen without a measurement."
