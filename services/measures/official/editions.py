"""What the published measures of one year have in common, and where the years differ.

Sources: the CQL libraries Status, Hospice, PalliativeCare, AdvancedIllnessandFrailty and AdultOutpatientEncounters that
CMS publishes with each year's measures (eCQI Resource Center).
"""

from dataclasses import dataclass

from services.measures.language.codes import Codes
from services.measures.language.columns import ACTIVE
from services.measures.language.events import THIS, Known, Row, Series
from services.measures.language.truths import Surely, Truth, all_of, any_of, named, not_
from services.measures.language.vocabulary import (
    devices_ordered,
    diagnoses,
    medications_ordered,
    procedures,
    results,
    services_ordered,
    visits,
)

OF_REFUTED = "A diagnosis that was refuted or entered in error never counts; as published it does where nothing is asked of how sure it is."
OF_CONTAINED = "An order counts by the drug that stands inside it (a contained Medication) too; as published such a drug is not seen."
OF_NOT = "An order not to do something never counts; as published it does where its profile does not say so too."
ORDERS = ("order", "original-order", "reflex-order", "filler-order", "instance-order")
FINAL = ("final", "amended", "corrected")
OVER = ("abatement", "abatement_date", "abatement_age")


def recorded(*codes: Codes) -> Series:
    """Results that are Observations of their own. As published: a component of another one is none."""
    return results(*codes).where(named("no part of another result", not_(THIS.field("parent").known)))


def observed(*codes: Codes) -> Series:
    """Those of which they say themselves when they were true; our records else hold when they were issued or reported."""
    elsewhere = Surely(THIS.field("flags").one_of("time-issued", "time-report"))
    return recorded(*codes).where(named("its own time", not_(elsewhere)))


def in_words(event: Row = THIS) -> Truth:
    """It has a result of a kind that our records leave out: words, a time that recurs, samples."""
    return Surely(event.field("flags").one_of("text-withheld", "value-type-withheld"))


def begun(event: Row = THIS) -> Truth:
    """When it began is known. As published what has only an end began before all time; our records hold the end in its place."""
    return named("a known start", not_(Surely(event.field("flags").one_of("time-end"))))


def dated() -> Truth:
    """When a diagnosis began or ended is known. As published one of which neither is has no first moment (the engines: an interval without
    both bounds), and so did not begin before anything; one that ended did so after all time began.
    """
    begins = all_of(Known(THIS, ("onset", "onset_date", "onset_age")), begun())
    return named("a known start or end", any_of(begins, Known(THIS, OVER)))


def lasting(conditions: Series) -> Series:
    """Those that are active or have an end. As published: what is over, nobody knows since when, has no duration at all (CQL: a query over null is null)."""
    return conditions.where(
        named("active, or with an end", any_of(THIS.field("clinical_status").one_of(*ACTIVE), Known(THIS, OVER)))
    )


@dataclass(frozen=True, slots=True)
class Edition:
    """A measurement year's rules of what has been done."""

    year: int
    visit_statuses: tuple[str, ...]
    order_intents: tuple[str, ...]
    by_category: bool
    """Assessments must be of the category survey, laboratory tests of laboratory, and diagnoses of any."""

    def visits(self, *kinds: Codes) -> Series:
        """Visits that took place."""
        return visits(*kinds).where(THIS.field("status").one_of(*self.visit_statuses))

    def assessments(self, *codes: Codes) -> Series:
        """Screenings and assessments with a final answer."""
        return self._in_category(observed(*codes).where(THIS.field("status").one_of(*FINAL)), "survey")

    def laboratory(self, *codes: Codes) -> Series:
        """Laboratory tests with a final result."""
        return self._in_category(observed(*codes).where(THIS.field("status").one_of(*FINAL)), "laboratory")

    def symptoms(self, *codes: Codes) -> Series:
        """Symptoms recorded as observations."""
        return observed(*codes).where(THIS.field("status").one_of("preliminary", *FINAL))

    def services(self, *codes: Codes) -> Series:
        """Services ordered."""
        return services_ordered(*codes).where(*self._ordered())

    def devices(self, *codes: Codes) -> Series:
        """Devices ordered for personal use."""
        return devices_ordered(*codes).where(*self._ordered())

    def medications(self, *codes: Codes, statuses: tuple[str, ...]) -> Series:
        """Orders of medications of some statuses, coded or by the Medication resource that they name."""
        return medications_ordered(*codes).where(
            THIS.field("status").one_of(*statuses), THIS.field("intent").one_of(*self.order_intents)
        )

    def interventions(self, *codes: Codes) -> Series:
        """Procedures that were completed."""
        return procedures(*codes).where(THIS.field("status").one_of("completed"))

    def diagnoses(self, *codes: Codes) -> Series:
        """Diagnoses and problems that are not ruled out, of known duration."""
        return lasting(diagnoses(*codes))

    def _ordered(self) -> tuple[Truth, Truth]:
        return (
            THIS.field("status").one_of("active", "completed"),
            THIS.field("intent").one_of(*self.order_intents),
        )

    def _in_category(self, series: Series, category: str) -> Series:
        return series.where(THIS.field("category").one_of(category)) if self.by_category else series


EDITIONS = {
    edition.year: edition
    for edition in (
        Edition(
            year=2025,
            visit_statuses=("finished", "arrived", "triaged", "in-progress", "onleave"),
            order_intents=("order",),
            by_category=True,
        ),
        Edition(year=2026, visit_statuses=("finished",), order_intents=ORDERS, by_category=False),
    )
}
