"""What a measure by populations declares: who is in, who is left out, who met it; and how the counts follow."""

from dataclasses import dataclass
from typing import Literal

from services.measures.language.truths import AnyOf, Named, Surely, Truth, all_of, not_

NOBODY = Named("Nobody", AnyOf(()))


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

    def members(self) -> dict[str, Truth]:
        """Who is counted in each, as FHIR's Quality Measure guide scores a proportion: excluded before met, met before excepted.

        Unknown is not counted: it is no member.
        """
        initial, met = Surely(self.initial), Surely(self.numerator)
        denominator = initial if self.denominator is None else all_of(initial, Surely(self.denominator))
        counting = all_of(denominator, not_(Surely(self.exclusions)))
        found: dict[str, Truth] = {
            "initial-population": initial,
            "denominator": denominator,
            "denominator-exclusion": all_of(denominator, Surely(self.exclusions)),
            "numerator": all_of(counting, met),
        }
        if self.exceptions is not None:
            found["denominator-exception"] = all_of(counting, not_(met), Surely(self.exceptions))
        return found

    def in_doubt(self) -> Truth:
        """Of whom it is unknown whether they are in the initial population: counted beside."""
        return all_of(not_(Surely(self.initial)), not_(Surely(not_(self.initial))))


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
