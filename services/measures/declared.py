"""What a measure by populations declares: who is in, who is left out, who met it; and how the counts follow."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from services.measures.language.truths import AnyOf, Named, Truth

NOBODY = Named("Nobody", AnyOf(()))

Counted = dict[str, int]
"""Counts by the codes of FHIR's measure-population."""


@dataclass(frozen=True, slots=True)
class Populations:
    """A proportion of persons. Each condition is of one person; the denominator is of the initial population."""

    initial: Named
    numerator: Named
    denominator: Named | None = None
    """Within the initial population; none: all of it."""
    exclusions: Named = NOBODY
    exceptions: Named | None = None
    """Who leaves the denominator where the numerator is not met; none: the measure knows no exceptions."""

    def named(self) -> dict[str, Named]:
        """The conditions by the codes of FHIR's measure-population."""
        found = {
            "initial-population": self.initial,
            "denominator": self.denominator,
            "denominator-exclusion": self.exclusions,
            "numerator": self.numerator,
            "denominator-exception": self.exceptions,
        }
        return {code: condition for code, condition in found.items() if condition is not None}


@dataclass(frozen=True, slots=True)
class Definition:
    """A published measure for one measurement year."""

    id: str
    version: str
    title: str
    sources: tuple[str, ...]
    sentence: str
    """What it says of people, in plain words."""
    direction: Literal["increase", "decrease"]
    """Which way is better."""
    groups: tuple[Populations, ...]


def counted(populations: Populations, holds: Callable[[Truth], bool]) -> Counted:
    """One person's counts (0 or 1), as FHIR's Quality Measure guide scores a proportion: excluded before met, met before excepted."""
    initial = holds(populations.initial)
    denominator = initial and (populations.denominator is None or holds(populations.denominator))
    excluded = denominator and holds(populations.exclusions)
    met = denominator and not excluded and holds(populations.numerator)
    counts = {
        "initial-population": initial,
        "denominator": denominator,
        "denominator-exclusion": excluded,
        "numerator": met,
    }
    if populations.exceptions is not None:
        counts["denominator-exception"] = denominator and not excluded and not met and holds(populations.exceptions)
    return {code: int(is_in) for code, is_in in counts.items()}
